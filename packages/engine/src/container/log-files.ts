import { closeSync, constants, fstatSync, lstatSync, openSync, read, readSync } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isErrno } from '@ctr/errdefs'

const NEWLINE = 10
const BLOCK_BYTES = 256 * 1024
/** So much is read at once, for what was written lately is in memory: the way to a thread and back takes ten times as long. */
const SYNC_BYTES = 64 * 1024
/** A record longer than this is damage (the shim splits output at 16 KiB) and is skipped. */
const MAX_LINE_BYTES = 1024 * 1024
const OPEN_ATTEMPTS = 10

/**
 * The files of one log: `path`, and older ones as `path.1`, `path.2.gz`, … An open file stays readable when the shim
 * rotates it away meanwhile.
 */
export class LogFile implements Disposable {
  readonly inode: number
  readonly isCompressed: boolean
  /** What is written later is not part of an answer that is to end. Of a compressed file: unknown, it gets nothing more. */
  readonly sizeWhenOpened: number
  readonly #fd: number

  private constructor(fd: number, isCompressed: boolean) {
    this.#fd = fd
    const { ino, size } = fstatSync(fd)
    this.inode = ino
    this.isCompressed = isCompressed
    this.sizeWhenOpened = isCompressed ? Number.POSITIVE_INFINITY : size
  }

  /** Undefined: there is none, or what is there is no file. Waits for no writer of a FIFO. */
  static open(path: string): LogFile | undefined {
    // To catch an error takes ten times as long, and most names are missing.
    if (inodeOf(path) === undefined) return undefined
    let fd: number
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO')) return undefined
      throw error
    }
    if (fstatSync(fd).isFile()) return new LogFile(fd, path.endsWith('.gz'))
    closeSync(fd)
    return undefined
  }

  /** Now; of one that is compressed, what it takes on the disk. */
  get sizeBytes(): number {
    return fstatSync(this.#fd).size
  }

  /** All files of a log, oldest first. When it is rotated meanwhile, once more: the order would be wrong. */
  static openAll(path: string): LogFile[] {
    for (let attempt = 1; ; attempt++) {
      const opened = LogFile.#openOnce(path)
      const isStable = opened.every(([name, file]) => inodeOf(name) === file.inode)
      if (isStable || attempt === OPEN_ATTEMPTS) return LogFile.#distinct(opened).reverse()
      for (const [, file] of opened) file[Symbol.dispose]()
    }
  }

  /** A log that is rotated faster than it can be opened: one that moved on in between was met a second time. */
  static #distinct(opened: readonly [name: string, file: LogFile][]): LogFile[] {
    const files: LogFile[] = []
    for (const [, file] of opened) {
      if (files.some(({ inode }) => inode === file.inode)) file[Symbol.dispose]()
      else files.push(file)
    }
    return files
  }

  /** Newest first. In a rotation, which renames from the oldest on, one of the names is missing. */
  static #openOnce(path: string): [name: string, file: LogFile][] {
    const opened: [string, LogFile][] = []
    for (let index = 0, missing = 0; missing < 2; index++) {
      const name = index === 0 ? path : `${path}.${index}`
      const file = LogFile.open(name)
      const packed = file === undefined && index > 0 ? LogFile.open(`${name}.gz`) : undefined
      if (file !== undefined) opened.push([name, file])
      if (packed !== undefined) opened.push([`${name}.gz`, packed])
      missing = file === undefined && packed === undefined ? missing + 1 : 0
    }
    return opened
  }

  /**
   * Whole lines, each with its newline, from byte `offset` of the plain text on to byte `end`; many at once, valid until the
   * next are asked for. `onOffset` learns where the next line begins: a later call goes on there.
   */
  async *lines(
    offset: number,
    onOffset: (next: number) => void,
    end = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Buffer> {
    let next = offset
    let rest: Buffer[] = []
    let restBytes = 0
    for await (const block of this.#blocks(offset, end)) {
      const first = block.indexOf(NEWLINE) + 1
      const wholeEnd = first === 0 ? 0 : block.lastIndexOf(NEWLINE) + 1
      const isTooLong = restBytes + first - 1 > MAX_LINE_BYTES
      const whole = block.subarray(isTooLong ? first : 0, wholeEnd)
      const lines = rest.length === 0 || isTooLong ? whole : Buffer.concat([...rest, whole])
      if (wholeEnd > 0) {
        next += restBytes + wholeEnd
        rest = []
        restBytes = 0
      }
      restBytes += block.length - wholeEnd
      if (restBytes > MAX_LINE_BYTES) rest = []
      else if (wholeEnd < block.length) rest.push(Buffer.from(block.subarray(wholeEnd)))
      onOffset(next)
      if (wholeEnd > 0 && lines.length > 0) yield lines
    }
  }

  /** Where the last `count` lines begin, of those that were there when it was opened; how many there are, if not so many. */
  async tail(count: number): Promise<{ offset: number; lines: number }> {
    return this.isCompressed ? await this.#tailForward(count) : await this.#tailBackward(count)
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  async *#blocks(offset: number, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    if (!this.isCompressed) {
      const bytes = Math.max(1, Math.min(BLOCK_BYTES, end - offset))
      yield* this.#fileBlocks(offset, end, Buffer.allocUnsafe(bytes))
      return
    }
    let skip = offset
    try {
      for await (const block of this.#unpacked()) {
        if (skip < block.length) yield block.subarray(skip)
        skip = Math.max(0, skip - block.length)
      }
    } catch (error) {
      // The shim is still writing it, or was killed while it did.
      if (!isErrno(error, 'Z_BUF_ERROR', 'Z_DATA_ERROR')) throw error
    }
  }

  #unpacked(): AsyncIterable<Buffer> {
    const packed = Readable.from(this.#fileBlocks(0, Number.POSITIVE_INFINITY), {
      objectMode: false,
    })
    const gunzip = createGunzip({ chunkSize: BLOCK_BYTES })
    pipeline(packed, gunzip, () => undefined) // an error comes out of the iteration, too
    return gunzip
  }

  /** `shared`: the same buffer again and again, for a caller that is done with a block before it asks for the next. */
  async *#fileBlocks(offset: number, end: number, shared?: Buffer): AsyncGenerator<Buffer> {
    for (let position = offset; position < end; ) {
      const buffer = shared ?? Buffer.allocUnsafe(BLOCK_BYTES)
      const wanted = Math.min(buffer.length, end - position)
      const bytesRead = await readAt(this.#fd, buffer, wanted, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  async #tailBackward(count: number): Promise<{ offset: number; lines: number }> {
    const buffer = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, this.sizeWhenOpened))
    let newlines = 0
    for (let end = this.sizeWhenOpened; end > 0; ) {
      const start = Math.max(0, end - BLOCK_BYTES)
      const bytesRead = await readAt(this.#fd, buffer, end - start, start)
      let index = bytesRead
      for (;;) {
        index = index === 0 ? -1 : buffer.lastIndexOf(NEWLINE, index - 1)
        if (index === -1) break
        newlines++
        // The newline before the first of the wanted lines.
        if (newlines > count) return { offset: start + index + 1, lines: count }
      }
      end = start
    }
    return { offset: 0, lines: newlines }
  }

  /** Remembers where the last `count` lines begin; a gzip stream cannot be read backwards. */
  async #tailForward(count: number): Promise<{ offset: number; lines: number }> {
    let lines = 0
    let position = 0
    for await (const block of this.#blocks(0)) {
      for (let at = block.indexOf(NEWLINE); at !== -1; at = block.indexOf(NEWLINE, at + 1)) lines++
      position += block.length
    }
    if (lines <= count) return { offset: 0, lines }
    let toSkip = lines - count
    position = 0
    for await (const block of this.#blocks(0)) {
      for (let at = block.indexOf(NEWLINE); at !== -1; at = block.indexOf(NEWLINE, at + 1)) {
        toSkip--
        if (toSkip === 0) return { offset: position + at + 1, lines: count }
      }
      position += block.length
    }
    return { offset: position, lines: 0 }
  }
}

/** Undefined: there is no such file. */
export function inodeOf(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true ? stats.ino : undefined
}

async function readAt(
  fd: number,
  buffer: Buffer,
  length: number,
  position: number,
): Promise<number> {
  if (length <= SYNC_BYTES) return readSync(fd, buffer, 0, length, position)
  return await new Promise((resolve, reject) => {
    read(fd, buffer, 0, length, position, (error, bytesRead) => {
      if (error === null) resolve(bytesRead)
      else reject(error)
    })
  })
}
