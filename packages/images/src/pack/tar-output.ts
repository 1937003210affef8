import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from '../tar/write.ts'
import { type Progress, report } from '../unpack/growing-file.ts'

const BUFFER_BYTES = 1 << 20

/** Writes an archive to a file through one large buffer, and computes its digest. Readers of `progress` follow. */
export class TarOutput {
  readonly #fd: number
  readonly #progress: Progress
  readonly #hash = createHash('sha256')
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #filled = 0
  #bytes = 0
  #members = 0

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

  /** Ends the archive. */
  finish(): { digest: string; size: number } {
    this.#write(TAR_END)
    this.#flush()
    return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#bytes }
  }

  [Symbol.dispose](): void {
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
    this.#hash.update(data)
    for (let done = 0; done < data.length; ) {
      done += writeSync(this.#fd, data, done, data.length - done, this.#bytes + done)
    }
    this.#bytes += data.length
    this.#filled = 0
    report(this.#progress, this.#bytes)
  }
}
