import { join } from 'node:path'
import { connectUnix } from './connect.ts'
import { describeOp } from './describe.ts'
import { type ExitRecord, exitRecord, readExitRecord } from './exit-record.ts'
import {
  decodeFault,
  encodeFrame,
  errnoName,
  FRAMES,
  type Frame,
  type FrameName,
  FrameReader,
  ShimError,
  u32s,
} from './frames.ts'
import type { Program } from './ops.ts'
import { type Protocol, protocolNumber } from './protocol-number.ts'
import { describeShim } from './shim-process.ts'
import type { ShimSocket } from './shim-socket.ts'

/**
 * The control connection of one shim. It may close at any time without any effect on the process; `connectShim`
 * makes a new one. Requests reject with ESRCH once the shim has gone, with ETIMEDOUT if it does not answer: it was
 * stopped, or waits for a disk. It may then still do what was asked for, as soon as it goes on.
 */
export interface ShimConnection {
  readonly pid: number
  /** /proc/PID/stat field 22: with the pid it names the process for ever. */
  readonly startTime: bigint
  /** Wall clock of the execve; 0n while the program waits for start(). */
  readonly startedAtNs: bigint
  /** Failures of optional operations. */
  readonly warnings: readonly ShimError[]
  /** Rejects with 'shim died' if the connection ends and no exit was recorded. Never settles after close(). */
  readonly exited: Promise<ExitRecord>
  /** How it ended, as soon as that has come: `exited` tells it a turn later. */
  readonly ended: ExitRecord | undefined
  onOom(listener: () => void): void
  signal(signal: number): Promise<void>
  resize(rows: number, columns: number): Promise<void>
  /** Ends `wait_start`; resolves when the process runs, rejects ShimError. */
  start(): Promise<void>
  /** Ends the process's stdin after what attached clients have sent. */
  closeStdin(): Promise<void>
  reopenLog(): Promise<void>
  /** The port leads to the target from now on, whether it was published before or not. EADDRINUSE, EADDRNOTAVAIL, … */
  forward(port: HostPort, target: Omit<HostPort, 'protocol'>): Promise<void>
  /** The port is free, if it was this shim's, and connections through it have ended. */
  unforward(port: HostPort): Promise<void>
  /** Sockets for the container's questions for names, in its network namespace, that the shim holds from now on. */
  openResolver(port: number): Promise<void>
  close(): void
}

/** A port of the host that a shim listens on. */
export interface HostPort {
  readonly protocol: Protocol
  /** 16 bytes: IPv6, or IPv4 as ::ffff:a.b.c.d. */
  readonly address: Uint8Array
  readonly port: number
}

interface Pending {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A shim does nothing that takes long; a host with hundreds of busy processes may let it wait. */
export const ANSWER_TIMEOUT_MS = 8000

/** What `opened` resolves with: how the conversation began. */
export type Opening = 'started' | 'ready' | 'done' | 'state'

export class Connection implements ShimConnection {
  pid = 0
  startTime = 0n
  startedAtNs = 0n
  ended: ExitRecord | undefined
  readonly warnings: ShimError[] = []
  readonly exited: Promise<ExitRecord>
  /** Settles with the first frame that says how it went. */
  readonly opened: Promise<Opening>
  readonly #socket: ShimSocket
  readonly #runtimeDir: string | undefined
  readonly #program: () => Program
  readonly #reader = new FrameReader()
  readonly #results: Pending[] = []
  readonly #oomListeners: (() => void)[] = []
  /** Notices that came before anybody listened: a process can be out of memory as soon as it runs. */
  #missedOoms = 0
  readonly #exit = Promise.withResolvers<ExitRecord>()
  readonly #opening = Promise.withResolvers<Opening>()
  /** The clients that the program expects can attach: the socket is there. */
  onListening: () => void = () => undefined
  #starting: Pending | undefined
  #closedByUs = false
  /** A request has not been answered in time, and nothing has been heard since. */
  #isSilent = false
  #hasAnswered = false

  constructor(socket: ShimSocket, runtimeDir: string | undefined, program: () => Program) {
    this.#socket = socket
    this.#runtimeDir = runtimeDir
    this.#program = program
    this.exited = this.#exit.promise
    this.opened = this.#opening.promise
    // Nobody need listen: a connection is often used for a request or two.
    this.exited.catch(() => undefined)
    this.opened.catch(() => undefined)
    // What came before, to a connection that was made ahead.
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.onBytes = (chunk) => this.#onData(chunk)
    socket.on('error', () => undefined) // 'close' follows and says what matters
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#onClose())
  }

  onOom(listener: () => void): void {
    this.#oomListeners.push(listener)
    for (; this.#missedOoms > 0; this.#missedOoms--) listener()
  }

  signal(signal: number): Promise<void> {
    return this.#request('SIGNAL', u32s(signal))
  }

  resize(rows: number, columns: number): Promise<void> {
    return this.#request('RESIZE', u32s(rows, columns))
  }

  async start(): Promise<void> {
    const running = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject }
    })
    running.catch(() => undefined) // awaited below, unless the request itself fails
    await this.#request('START')
    await running
  }

  closeStdin(): Promise<void> {
    return this.#request('CLOSE_STDIN')
  }

  reopenLog(): Promise<void> {
    return this.#request('LOG_REOPEN')
  }

  forward(port: HostPort, target: Omit<HostPort, 'protocol'>): Promise<void> {
    const payload = [encodeHostPort(port), u32s(target.port), target.address]
    return this.#request('FORWARD', Buffer.concat(payload))
  }

  openResolver(port: number): Promise<void> {
    return this.#request('RESOLVER', u32s(port))
  }

  unforward(port: HostPort): Promise<void> {
    return this.#request('UNFORWARD', encodeHostPort(port))
  }

  close(): void {
    this.#closedByUs = true
    this.#socket.destroy()
  }

  /** True if at least one byte has come back. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** Where output of the process goes that comes among the frames: bytes that are valid until it returns. Before the first of them. */
  set onOutput(listener: (bytes: Buffer) => void) {
    this.#reader.onOutput = listener
  }

  /** Within `onOutput`: its bytes are still in use when it returns. */
  keepBytes(): void {
    this.#socket.keepBytes()
  }

  /** Nothing is heard until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Gives up waiting for `opened`, which rejects with `error`. */
  abandon(error: Error): void {
    this.#opening.reject(error)
    this.close()
  }

  /** Not waiting for the answer: for the way out. */
  sendSignal(signal: number): void {
    this.signal(signal).catch(() => undefined)
  }

  #request(type: FrameName, payload?: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed || this.#isSilent) {
        reject(this.#socket.destroyed ? gone() : noAnswer(this.#runtimeDir))
        return
      }
      // A result that comes too late is still the one of this request.
      const timer = setTimeout(() => {
        this.#isSilent = true
        reject(noAnswer(this.#runtimeDir))
      }, ANSWER_TIMEOUT_MS)
      const settle = <T extends unknown[]>(finish: (...values: T) => void) => {
        return (...values: T): void => {
          clearTimeout(timer)
          finish(...values)
        }
      }
      this.#results.push({ resolve: settle(resolve), reject: settle(reject) })
      this.#socket.write(encodeFrame(type, payload))
    })
  }

  #onData(chunk: Buffer): void {
    this.#isSilent = false
    this.#hasAnswered = true
    try {
      this.#reader.push(chunk)
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#onFrame(frame)
      this.#reader.copyRest()
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : undefined)
    }
  }

  #onFrame({ type, payload }: Frame): void {
    switch (type) {
      case FRAMES.STARTED:
        this.pid = payload.readUInt32LE(0)
        this.startTime = payload.readBigUInt64LE(4)
        this.startedAtNs = payload.readBigUInt64LE(12)
        this.#opening.resolve('started')
        this.#starting?.resolve()
        return
      case FRAMES.READY:
        this.pid = payload.readUInt32LE(0)
        this.startTime = payload.readBigUInt64LE(4)
        this.#opening.resolve('ready')
        return
      case FRAMES.LISTENING:
        this.onListening()
        return
      case FRAMES.DONE:
        this.pid = payload.readUInt32LE(0)
        this.#opening.resolve('done')
        return
      case FRAMES.STATE:
        this.#onState(payload)
        return
      case FRAMES.FAILED: {
        const error = this.#shimError(payload)
        this.#opening.reject(error)
        this.#starting?.reject(error)
        return
      }
      case FRAMES.WARNING:
        this.warnings.push(this.#shimError(payload))
        return
      case FRAMES.OOM:
        if (this.#oomListeners.length === 0) this.#missedOoms += 1
        for (const listener of this.#oomListeners) listener()
        return
      case FRAMES.EXIT:
        this.ended = exitRecord(
          payload.readUInt32LE(0),
          payload.readUInt32LE(4) !== 0,
          payload.readBigUInt64LE(8),
        )
        this.#exit.resolve(this.ended)
        return
      case FRAMES.RESULT:
        this.#onResult(payload.readUInt32LE(0))
    }
  }

  #onState(payload: Buffer): void {
    this.pid = payload.readUInt32LE(0)
    this.startTime = payload.readBigUInt64LE(4)
    this.startedAtNs = payload.readBigUInt64LE(12)
    this.#opening.resolve('state')
  }

  #onResult(errno: number): void {
    const pending = this.#results.shift()
    if (errno === 0) pending?.resolve()
    else pending?.reject(requestError(errno))
  }

  #shimError(payload: Buffer): ShimError {
    const fault = decodeFault(payload)
    const program = this.#program()
    const op = program[fault.index]
    const what = op === undefined ? fault.op : describeOp(op)
    const of = program.length === 0 ? '' : ` of ${program.length}`
    return new ShimError(fault, `operation ${fault.index + 1}${of}: ${what}`, op)
  }

  #onClose(): void {
    for (const pending of this.#results.splice(0)) pending.reject(gone())
    // Of nearly every connection it is the end of a process that has been reported: an error takes a stack to make.
    if (this.ended !== undefined && this.#starting === undefined) return
    this.#starting?.reject(new Error('shim died'))
    this.#opening.reject(new Error('shim died'))
    if (!this.#closedByUs && this.ended === undefined) void this.#settleExit()
  }

  /** The shim writes its exit record before EXIT: it may have ended between the two. */
  async #settleExit(): Promise<void> {
    const record =
      this.#runtimeDir === undefined
        ? undefined
        : await readExitRecord(this.#runtimeDir).catch(() => undefined)
    if (record !== undefined && this.pid !== 0) this.#exit.resolve(record)
    else this.#exit.reject(new Error('shim died'))
  }
}

function encodeHostPort({ protocol, address, port }: HostPort): Buffer {
  return Buffer.concat([u32s(protocolNumber(protocol), port), address])
}

/** ESRCH: the shim is not there any more. */
export function gone(): Error {
  return requestError(3) // ESRCH
}

/** ETIMEDOUT, with what can be seen of the process. */
export function noAnswer(
  runtimeDir: string | undefined,
  waitedMs: number = ANSWER_TIMEOUT_MS,
): Error {
  const shim = runtimeDir === undefined ? 'the shim' : describeShim(runtimeDir)
  const message = `${shim} has not answered for ${waitedMs / 1000} s`
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' })
}

/** A request that the shim has refused, by errno(3). */
export function requestError(errno: number): Error {
  const code = errnoName(errno)
  return Object.assign(new Error(`shim: ${code}`), { code, errno })
}

/**
 * Connects to a running shim. Rejects with ENOENT or ECONNREFUSED if there is none, with ETIMEDOUT if it does not answer
 * in `timeoutMs` (default: never, because the kernel connects to one that is stopped too, and it may go on).
 */
export async function connectShim(runtimeDir: string, timeoutMs?: number): Promise<ShimConnection> {
  const socket = await connectUnix(join(runtimeDir, 'shim.sock'))
  const connection = new Connection(socket, runtimeDir, () => [])
  try {
    await withTimeout(connection.opened, timeoutMs, runtimeDir)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Rejects with ETIMEDOUT if there is no answer in `timeoutMs` (undefined: waits for ever). */
export async function withTimeout<T>(
  answer: Promise<T>,
  timeoutMs: number | undefined,
  runtimeDir: string,
): Promise<T> {
  if (timeoutMs === undefined) return await answer
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(noAnswer(runtimeDir)), timeoutMs)
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
