import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { LogFile } from './log-files.ts'
import { formatRecords, formatTime, type RecordFormat, recordTime } from './log-records.ts'
import { logDriver } from './registry.ts'
import { isAlive } from './state.ts'

export interface LogOptions {
  readonly stdout: boolean
  readonly stderr: boolean
  /** Goes on until the present run ends. */
  readonly follow: boolean
  readonly timestamps: boolean
  readonly details: boolean
  /** The last n records; absent: all. */
  readonly tail?: number
  /** Both ends included. */
  readonly sinceNs?: bigint
  readonly untilNs?: bigint
}

/** Reads the log: frames of Docker's multiplexed stream, or raw text with a terminal. Memory stays bounded. */
export async function containerLogs(
  engine: Pick<Engine, 'containers' | 'waiters' | 'clock'>,
  reference: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<{ hasTty: boolean; stream: Readable }> {
  const container = engine.containers.get(reference)
  if (!options.stdout && !options.stderr) {
    throw new EngineError('INVALID_ARGUMENT', 'Bad parameters: you must choose at least one stream')
  }
  if (container.logPath === '') {
    throw new EngineError(
      'NOT_IMPLEMENTED',
      `configured logging driver does not support reading: ${logDriver(container.hostConfig)}`,
    )
  }
  const hasTty = container.config.Tty === true
  const format: RecordFormat = {
    stdout: options.stdout,
    stderr: options.stderr,
    timestamps: options.timestamps,
    details: options.details,
    isRaw: hasTty,
    since: options.sinceNs === undefined ? '' : formatTime(options.sinceNs),
    until: options.untilNs === undefined ? '' : formatTime(options.untilNs),
  }
  const follower =
    options.follow && isAlive(container.state)
      ? new Follower(engine, container.id, container.logPath, options.untilNs, signal)
      : undefined
  const chunks = readLog(container.logPath, options.tail, format, follower)
  const stream = Readable.from(chunks, { objectMode: false, highWaterMark: 256 * 1024 })
  const stop = (): void => void stream.destroy()
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  stream.once('close', () => {
    signal.removeEventListener('abort', stop)
    follower?.[Symbol.dispose]()
  })
  return { hasTty, stream }
}

async function* readLog(
  path: string,
  tail: number | undefined,
  format: RecordFormat,
  follower: Follower | undefined,
): AsyncGenerator<Buffer> {
  await using files = new OpenFiles(await LogFile.openAll(path))
  const starts = await tailOffsets(files.all, tail)
  const reader = new Reader(format)
  for (const [index, file] of files.all.entries()) {
    yield* reader.read(file, starts[index] ?? 0)
    if (reader.isOver) return
  }
  if (follower === undefined) return
  let current = files.all.at(-1)
  let offset = reader.offset
  for (;;) {
    // Before the read: what comes after the read wakes us up, what came before is read.
    const isLast = follower.isRunOver
    const next = await LogFile.open(path)
    if (current !== undefined) {
      yield* reader.read(current, offset)
      offset = reader.offset
    }
    if (next !== undefined && next.inode !== current?.inode) {
      files.all.push(next)
      yield* readMissed(path, current, next, reader)
      await files.close(current)
      current = next
      yield* reader.read(next, 0)
      offset = reader.offset
    } else {
      await next?.[Symbol.asyncDispose]()
    }
    if (isLast || reader.isOver) return
    await follower.changed()
  }
}

/** Files that came and were rotated away between two looks: newer than `last`, older than `next`. */
async function* readMissed(
  path: string,
  last: LogFile | undefined,
  next: LogFile,
  reader: Reader,
): AsyncGenerator<Buffer> {
  await using files = new OpenFiles(await LogFile.openAll(path))
  for (const file of files.all) {
    if (file.inode === next.inode || file.inode === last?.inode) continue
    const first = await firstLine(file)
    const time = first === undefined ? undefined : recordTime(first)
    if (time !== undefined && time > reader.lastTime) yield* reader.read(file, 0)
  }
}

async function firstLine(file: LogFile): Promise<Buffer | undefined> {
  for await (const lines of file.lines(0, () => undefined)) return lines[0]
  return undefined
}

/** Where to begin in each file, for the last `tail` records of all. */
async function tailOffsets(files: readonly LogFile[], tail: number | undefined): Promise<number[]> {
  if (tail === undefined) return files.map(() => 0)
  const offsets = files.map(() => Number.POSITIVE_INFINITY)
  let wanted = tail
  for (let index = files.length - 1; index >= 0; index--) {
    const { offset = 0, lines = 0 } = (await files[index]?.tail(wanted)) ?? {}
    offsets[index] = offset
    wanted -= lines
    if (wanted <= 0) break
  }
  return offsets
}

class OpenFiles implements AsyncDisposable {
  all: LogFile[]

  constructor(files: LogFile[]) {
    this.all = files
  }

  async close(file: LogFile | undefined): Promise<void> {
    this.all = this.all.filter((other) => other !== file)
    await file?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((file) => file[Symbol.asyncDispose]()))
  }
}

/** Formats file after file and remembers how far it came. */
class Reader {
  /** Where the next line of the file that was read last begins. */
  offset = 0
  lastTime = ''
  isOver = false
  readonly #format: RecordFormat

  constructor(format: RecordFormat) {
    this.#format = format
  }

  /** From a byte offset; infinity: nothing of it. */
  async *read(file: LogFile, start: number): AsyncGenerator<Buffer> {
    if (!Number.isFinite(start)) return
    this.offset = start
    const advance = (next: number): void => {
      this.offset = next
    }
    for await (const lines of file.lines(start, advance)) {
      const { output, isOver } = formatRecords(lines, this.#format)
      this.lastTime = recordTime(lines.at(-1) ?? Buffer.alloc(0)) ?? this.lastTime
      if (output.length > 0) yield output
      if (isOver) {
        this.isOver = true
        return
      }
    }
  }
}

/** Wakes a reader up when the log has changed or the run has ended. inotify(7), nothing polls. */
class Follower implements Disposable {
  isRunOver = false
  #hasChanged = false
  #wake: (() => void) | undefined
  readonly #stack = new DisposableStack()

  constructor(
    engine: Pick<Engine, 'waiters' | 'clock'>,
    containerId: string,
    path: string,
    untilNs: bigint | undefined,
    signal: AbortSignal,
  ) {
    // The directory: a rotation renames the file. Unwatched when the container's directory goes.
    const watcher = watch(dirname(path), { persistent: false }, () => this.#notify())
    watcher.on('error', () => this.#end())
    this.#stack.defer(() => watcher.close())
    const controller = new AbortController()
    this.#stack.defer(() => controller.abort())
    void engine.waiters.add(containerId, 'exit', controller.signal).then(() => this.#end())
    signal.addEventListener('abort', () => this.#end(), { once: true })
    if (untilNs === undefined) return
    const leftMs = Number((untilNs - engine.clock.nowNs()) / 1_000_000n)
    this.#stack.use(engine.clock.after(leftMs, () => this.#end()))
  }

  /** Resolves at once if something has changed since the last call. */
  async changed(): Promise<void> {
    if (!this.#hasChanged && !this.isRunOver) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    this.#hasChanged = false
  }

  [Symbol.dispose](): void {
    this.#end()
    this.#stack.dispose()
  }

  #notify(): void {
    this.#hasChanged = true
    this.#wake?.()
  }

  #end(): void {
    this.isRunOver = true
    this.#notify()
  }
}
