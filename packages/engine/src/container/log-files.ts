import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isErrno } from '@ctr/errdefs'

const NEWLINE = 10
const BLOCK_BYTES = 256 * 1024
/** A record longer than this is damage (the shim splits output at 16 KiB) and is skipped. */
const MAX_LINE_BYTES = 1024 * 1024

/**
 * The files of one log: `path`, and older ones as `path.1`, `path.2.gz`, … An open file stays readable when the shim
 * rotates it away meanwhile.
 */
export class LogFile implements AsyncDisposable {
  readonly inode: number
  readonly #handle: FileHandle
  readonly #isCompressed: boolean

  private constructor(handle: FileHandle, inode: number, isCompressed: boolean) {
    this.#handle = handle
    this.inode = inode
    this.#isCompressed = isCompressed
  }

  /** Undefined: there is none. */
  static async open(path: string): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, 'r')
      return new LogFile(handle, (await handle.stat()).ino, path.endsWith('.gz'))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  /** All files of a log, oldest first. */
  static async openAll(path: string): Promise<LogFile[]> {
    const files: LogFile[] = []
    const newest = await LogFile.open(path)
    if (newest !== undefined) files.push(newest)
    for (let index = 1; ; index++) {
      const file =
        (await LogFile.open(`${path}.${index}`)) ?? (await LogFile.open(`${path}.${index}.gz`))
      if (file === undefined) break
      // Rotated between two of our looks: we have it already.
      if (files.some((other) => other.inode === file.inode)) await file[Symbol.asyncDispose]()
      else files.push(file)
    }
    return files.reverse()
  }

  /**
   * Whole lines (without the newline) from byte `offset` of the plain text on; in blocks, so that the caller may do
   * much at once. `onOffset` learns where the next line begins: a later call goes on there.
   */
  async *lines(offset: number, onOffset: (next: number) => void): AsyncGenerator<Buffer[]> {
    let next = offset
    let rest: Buffer[] = []
    let restBytes = 0
    for await (const block of this.#blocks(offset)) {
      const lines: Buffer[] = []
      let start = 0
      for (;;) {
        const end = block.indexOf(NEWLINE, start)
        if (end === -1) break
        const piece = block.subarray(start, end)
        const isTooLong = restBytes + piece.length > MAX_LINE_BYTES
        if (!isTooLong) lines.push(restBytes === 0 ? piece : Buffer.concat([...rest, piece]))
        next += restBytes + piece.length + 1
        rest = []
        restBytes = 0
        start = end + 1
      }
      restBytes += block.length - start
      if (restBytes <= MAX_LINE_BYTES) rest.push(Buffer.from(block.subarray(start)))
      else rest = []
      onOffset(next)
      if (lines.length > 0) yield lines
    }
  }

  /** Where the last `count` lines begin, and how many there are (fewer, if the file has fewer). */
  async tail(count: number): Promise<{ offset: number; lines: number }> {
    return this.#isCompressed ? await this.#tailForward(count) : await this.#tailBackward(count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }

  async *#blocks(offset: number): AsyncGenerator<Buffer> {
    if (!this.#isCompressed) {
      yield* this.#fileBlocks(offset, Buffer.allocUnsafe(BLOCK_BYTES))
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
    const packed = Readable.from(this.#fileBlocks(0), { objectMode: false })
    const gunzip = createGunzip({ chunkSize: BLOCK_BYTES })
    pipeline(packed, gunzip, () => undefined) // an error comes out of the iteration, too
    return gunzip
  }

  /** `shared`: the same buffer again and again, for a caller that is done with a block before it asks for the next. */
  async *#fileBlocks(offset: number, shared?: Buffer): AsyncGenerator<Buffer> {
    for (let position = offset; ; ) {
      const buffer = shared ?? Buffer.allocUnsafe(BLOCK_BYTES)
      const { bytesRead } = await this.#handle.read(buffer, 0, BLOCK_BYTES, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  async #tailBackward(count: number): Promise<{ offset: number; lines: number }> {
    const buffer = Buffer.allocUnsafe(BLOCK_BYTES)
    const { size } = await this.#handle.stat()
    let newlines = 0
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - BLOCK_BYTES)
      const { bytesRead } = await this.#handle.read(buffer, 0, end - start, start)
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
