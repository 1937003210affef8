import { isErrno } from '@ctr/errdefs'
import {
  ANSWER_TIMEOUT_MS,
  type Connection,
  connectShim,
  gone,
  type HostPort,
  type ShimConnection,
} from './connection.ts'
import { type ExitRecord, readExitRecord } from './exit-record.ts'
import type { ShimError } from './frames.ts'
import { StarterOutput } from './starter-output.ts'

/**
 * The starter's connection of a process whose output comes among the frames (STDIO_STARTER_OUT, _ERR): what is quick to start,
 * to say something and to end has one connection, and all of that may come in one piece. Requests, a reader that is behind and
 * one that leaves need a control connection of its own, which is made then: on the starter's, words of the shim wait behind
 * output that nobody takes.
 */
export class StreamingConnection implements ShimConnection {
  readonly exited: Promise<ExitRecord>
  /** In Docker's frames. What is written goes nowhere; destroyed, it is nobody's. Ends with `endOutput` only. */
  readonly output: StarterOutput
  readonly #starter: Connection
  readonly #runtimeDir: string
  readonly #exit = Promise.withResolvers<ExitRecord>()
  #control: Promise<ShimConnection> | undefined
  /** No output will come any more, but for what is held. */
  #hasAll = false
  #mayEnd = false
  #isClosed = false

  /** Before the program is sent. */
  constructor(starter: Connection, runtimeDir: string) {
    this.#starter = starter
    this.#runtimeDir = runtimeDir
    this.exited = this.#exit.promise
    this.exited.catch(() => undefined)
    this.output = new StarterOutput({
      resume: () => starter.resume(),
      pause: () => this.#hold(),
      leave: () => this.#leave(),
    })
    starter.onOutput = (bytes) => this.#take(bytes)
    starter.exited.then(
      (record) => {
        this.#exit.resolve(record)
        this.#onAll()
      },
      (error: unknown) => {
        this.#onLoss(error)
        this.#onAll()
      },
    )
  }

  get pid(): number {
    return this.#starter.pid
  }

  get startTime(): bigint {
    return this.#starter.startTime
  }

  get startedAtNs(): bigint {
    return this.#starter.startedAtNs
  }

  get ended(): ExitRecord | undefined {
    return this.#starter.ended
  }

  get warnings(): readonly ShimError[] {
    return this.#starter.warnings
  }

  /** Its reader may know now that the process has ended, and will when it has had all. */
  endOutput(): void {
    this.#mayEnd = true
    this.#hasAll ||= this.ended !== undefined
    if (this.#hasAll) this.output.push(null)
  }

  onOom(listener: () => void): void {
    this.#starter.onOom(listener)
  }

  async signal(signal: number): Promise<void> {
    await (await this.#open()).signal(signal)
  }

  async resize(rows: number, columns: number): Promise<void> {
    await (await this.#open()).resize(rows, columns)
  }

  async start(): Promise<void> {
    await (await this.#open()).start()
  }

  async closeStdin(): Promise<void> {
    await (await this.#open()).closeStdin()
  }

  async reopenLog(): Promise<void> {
    await (await this.#open()).reopenLog()
  }

  async forward(port: HostPort, target: Omit<HostPort, 'protocol'>): Promise<void> {
    await (await this.#open()).forward(port, target)
  }

  async unforward(port: HostPort): Promise<void> {
    await (await this.#open()).unforward(port)
  }

  async openResolver(port: number): Promise<void> {
    await (await this.#open()).openResolver(port)
  }

  close(): void {
    this.#isClosed = true
    this.#starter.close()
    this.output.destroy()
    this.#control?.then(
      (control) => control.close(),
      () => undefined,
    )
  }

  #take(bytes: Buffer): void {
    if (this.output.give(bytes)) this.#starter.keepBytes()
  }

  /** Its reader is behind. */
  #hold(): void {
    this.#starter.pause()
    this.#open().catch(() => undefined)
  }

  /** The reader has gone, or has had all: what comes now is dropped, until the shim knows that nobody listens. */
  #leave(): void {
    if (this.#isClosed || this.#hasAll || this.ended !== undefined) return
    this.#starter.resume()
    this.#open().then(
      () => this.#starter.close(),
      () => undefined,
    )
  }

  #onAll(): void {
    if (this.#hasAll) return
    this.#hasAll = true
    if (this.#mayEnd) this.output.push(null)
  }

  #onLoss(error: unknown): void {
    if (this.#control === undefined) this.#exit.reject(error)
    // It tells, or has just told.
    else this.#control.catch(() => this.#exit.reject(error))
  }

  /** Rejects with ESRCH when the process has ended, else as `connectShim`. Tried again by the next who needs it. */
  #open(): Promise<ShimConnection> {
    this.#control ??= connectShim(this.#runtimeDir, ANSWER_TIMEOUT_MS).then(
      (control) => {
        control.exited.then(this.#exit.resolve, this.#exit.reject)
        if (this.#isClosed) control.close()
        return control
      },
      async (error: unknown) => {
        this.#control = undefined
        // Word of the end may wait behind output that nobody takes; there is a record before the socket goes.
        const record = await readExitRecord(this.#runtimeDir).catch(() => undefined)
        if (record !== undefined) this.#exit.resolve(record)
        throw isErrno(error, 'ENOENT', 'ECONNREFUSED') ? gone() : error
      },
    )
    return this.#control
  }
}
