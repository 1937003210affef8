import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { beginWriteback } from '@ctr/linux'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from '../tar/write.ts'
import { type Progress, report } from '../unpack/growing-file.ts'

const BUFFER_BYTES = 1 << 20

/** Enough for the disk to work on, seldom enough to cost nothing. */
const WRITEBACK_BYTES = 8 << 20

/** Writes an archive to a file through one large buffer. Readers of `progress` follow, and know its digest sooner than we could. */
export class TarOutput {
  readonly #fd: number
  readonly #progress: Progress
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #filled = 0
  #bytes = 0
  #members = 0
  #handedOver = 0
  readonly #begun: Promise<void>[] = []

  constructor(path: string, progress: Progress) {
    this.#fd = openSync(path, 'r+')
    this.#progress = progress
  }

  get members(): number {
    return this.#members
  }

  add(entry: NewEntry): void {
    this.#members += 1
    this.#write(encodeHeader(entry))
  }

  /** A file with its data from `fd`: exactly `size` bytes, whatever happens to it meanwhile. */
  addFile(entry: NewEntry & { size: number }, fd: number): void {
    this.add(entry)
    let position = 0
    while (position < entry.size) {
      if (this.#filled === BUFFER_BYTES) this.#flush()
      const room = Math.min(BUFFER_BYTES - this.#filled, entry.size - position)
      const read = readSync(fd, this.#buffer, this.#filled, room, position)
      // The file has become shorter: the header is written, so its bytes must come.
      if (read === 0) this.#buffer.fill(0, this.#filled, this.#filled + room)
      const length = read === 0 ? room : read
      this.#filled += length
      position += length
    }
    this.#write(TAR_END.subarray(0, paddingOf(entry.size)))
  }

  /** Ends the archive. Returns its size. */
  finish(): number {
    this.#write(TAR_END)
    this.#flush()
    return this.#bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#begun)
    closeSync(this.#fd)
  }

  #write(data: Buffer): void {
    for (let offset = 0; offset < data.length; ) {
      if (this.#filled === BUFFER_BYTES) this.#flush()
      const length = data.copy(this.#buffer, this.#filled, offset)
      this.#filled += length
      offset += length
    }
  }

  #flush(): void {
    const data = this.#buffer.subarray(0, this.#filled)
    for (let done = 0; done < data.length; ) {
      done += writeSync(this.#fd, data, done, data.length - done, this.#bytes + done)
    }
    this.#bytes += data.length
    this.#filled = 0
    report(this.#progress, this.#bytes)
    const length = this.#bytes - this.#handedOver
    if (length < WRITEBACK_BYTES) return
    this.#begun.push(beginWriteback(this.#fd, this.#handedOver, length))
    this.#handedOver = this.#bytes
  }
}
