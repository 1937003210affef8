import { readSync } from 'node:fs'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from '@ctr/images'
import type { Control } from './worker/protocol.ts'

const CHUNK_BYTES = 256 * 1024

/** An archive in chunks, as fast as their reader takes them: `control` makes the thread wait. */
export class TarOutput {
  readonly #control: Control
  readonly #send: (chunk: Uint8Array<ArrayBuffer>) => void
  #buffer = new Uint8Array(CHUNK_BYTES)
  /** The begin of a file, until its header is written. Fresh memory for each would cost as much as reading. */
  readonly #head = new Uint8Array(CHUNK_BYTES)
  #filled = 0

  constructor(control: Control, send: (chunk: Uint8Array<ArrayBuffer>) => void) {
    this.#control = control
    this.#send = send
  }

  add(entry: NewEntry): void {
    this.#control.beat()
    this.#write(encodeHeader(entry))
  }

  /**
   * A file with its data from `fd`: exactly `size` bytes, whatever happens to it meanwhile. One that cannot be read at
   * all is left out.
   */
  addFile(entry: NewEntry & { readonly size: number }, fd: number): void {
    const { size } = entry
    let position = readSync(fd, this.#head, 0, Math.min(size, CHUNK_BYTES), 0)
    this.add(entry)
    this.#write(this.#head.subarray(0, position))
    let isAtEnd = position === 0
    while (position < size) {
      if (this.#filled === CHUNK_BYTES) this.#flush()
      const room = Math.min(CHUNK_BYTES - this.#filled, size - position)
      const read = isAtEnd ? 0 : readSync(fd, this.#buffer, this.#filled, room, position)
      // The file has become shorter: the header is written, so its bytes must come.
      if (read === 0) this.#buffer.fill(0, this.#filled, this.#filled + room)
      isAtEnd = read === 0
      const length = isAtEnd ? room : read
      this.#filled += length
      position += length
    }
    this.#write(TAR_END.subarray(0, paddingOf(size)))
  }

  finish(): void {
    this.#write(TAR_END)
    this.#flush()
  }

  #write(data: Uint8Array): void {
    for (let offset = 0; offset < data.length; ) {
      if (this.#filled === CHUNK_BYTES) this.#flush()
      const length = Math.min(data.length - offset, CHUNK_BYTES - this.#filled)
      this.#buffer.set(data.subarray(offset, offset + length), this.#filled)
      this.#filled += length
      offset += length
    }
  }

  #flush(): void {
    if (this.#filled === 0) return
    this.#control.take()
    this.#send(this.#buffer.subarray(0, this.#filled))
    // The sent buffer has gone to the other thread.
    this.#buffer = new Uint8Array(CHUNK_BYTES)
    this.#filled = 0
  }
}
