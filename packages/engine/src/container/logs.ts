import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { inodeOf, LogFile } from './log-files.ts'
import { formatRecords, formatTime, type RecordFormat, recordTime } from './log-records.ts'
import { isAlive } from './state.ts'

const NEWLINE = 0x0a

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
    throw new EngineError('NOT_IMPLEMENTED', 'configured logging driver does not support reading')
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

/** For the engine itself: frames of all records since a time, each payload `TIME text`, until the present run ends. */
export async function* followLog(
  engine: Pick<Engine, 'waiters' | 'clock' | 'containers'>,
  { id, logPath }: Pick<ContainerRecord, 'id' | 'logPath'>,
  sinceNs: bigint,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const format: RecordFormat = {
    stdout: true,
    stderr: true,
    timestamps: true,
    details: false,
    isRaw: false,
    since: formatTime(sinceNs),
    until: '',
  }
  const state = engine.containers.byId(id)?.state
  using follower =
    state !== undefined && isAlive(state)
      ? new Follower(engine, id, logPath, undefined, signal)
      : undefined
  yield* readLog(logPath, undefined, format, follower)
}

async function* readLog(
  path: string,
  tail: number | undefined,
  format: RecordFormat,
  follower: Follower | undefined,
): AsyncGenerator<Buffer> {
  using files = new OpenFiles(LogFile.openAll(path))
  const starts = await tailOffsets(files.all, tail)
  const reader = new Reader(format)
  for (const [index, file] of files.all.entries()) {
    // Without an end, what writes faster than its reader reads would be read for ever, and `tail` be more than asked for.
    const end = follower === undefined ? file.sizeWhenOpened : undefined
    yield* reader.read(file, starts[index] ?? 0, end)
    if (reader.isOver) return
  }
  if (follower === undefined) return
  for (;;) {
    // Before the read: what comes after the read wakes us up, what came before is read.
    const isLast = follower.isRunOver
    const current = files.all.at(-1)
    // A file that has been rotated away gets nothing more, so its end is its end. No file: a rotation is under way.
    const inode = inodeOf(path)
    const isRotated = inode !== undefined && inode !== current?.inode
    if (current !== undefined) {
      // Somebody has truncated it (copytruncate of logrotate(8)).
      const isCut = !current.isCompressed && current.sizeBytes < reader.offset
      yield* reader.read(current, isCut ? 0 : reader.offset)
    }
    if (isRotated) {
      const newer = await filesAfter(current, reader.lastTime, LogFile.openAll(path))
      if (newer.length > 0) files.replace(newer)
      for (const file of newer) yield* reader.read(file, 0)
      continue
    }
    if (isLast || reader.isOver) return
    await follower.changed()
  }
}

/** Of all files those that are newer than `last`, of which the newest record is of `lastTime`. The others are closed. */
async function filesAfter(
  last: LogFile | undefined,
  lastTime: string,
  all: readonly LogFile[],
): Promise<LogFile[]> {
  const index = all.findIndex((file) => file.inode === last?.inode)
  const newer: LogFile[] = []
  for (const [at, file] of all.entries()) {
    // Compressed or removed meanwhile it has no place any more. What is not compressed is newer; of the rest times tell.
    const isNewer =
      index === -1 ? !file.isCompressed || (await firstTime(file)) > lastTime : at > index
    if (isNewer) newer.push(file)
    else file[Symbol.dispose]()
  }
  return newer
}

/** Time of the first record; the empty text sorts before all. */
async function firstTime(file: LogFile): Promise<string> {
  const line = await firstLine(file)
  return line === undefined ? '' : (recordTime(line) ?? '')
}

/** Of whole lines. */
function lastLine(lines: Buffer): Buffer {
  const end = lines.length - 1
  return end === 0
    ? lines.subarray(0, 0)
    : lines.subarray(lines.lastIndexOf(NEWLINE, end - 1) + 1, end)
}

async function firstLine(file: LogFile): Promise<Buffer | undefined> {
  for await (const lines of file.lines(0, () => undefined))
    return lines.subarray(0, lines.indexOf(NEWLINE))
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

class OpenFiles implements Disposable {
  all: readonly LogFile[]

  constructor(files: readonly LogFile[]) {
    this.all = files
  }

  replace(files: readonly LogFile[]): void {
    this[Symbol.dispose]()
    this.all = files
  }

  [Symbol.dispose](): void {
    for (const file of this.all) file[Symbol.dispose]()
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
  async *read(file: LogFile, start: number, end?: number): AsyncGenerator<Buffer> {
    if (!Number.isFinite(start)) return
    this.offset = start
    const advance = (next: number): void => {
      this.offset = next
    }
    for await (const lines of file.lines(start, advance, end)) {
      const { output, isOver } = formatRecords(lines, this.#format)
      this.lastTime = recordTime(lastLine(lines)) ?? this.lastTime
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
    void engine.waiters.add(containerId, 'attempt', controller.signal).then(() => this.#end())
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
