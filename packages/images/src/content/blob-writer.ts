import { close } from 'node:fs'
import { promisify } from 'node:util'
import { beginWriteback } from '@ctr/linux'
import { complete, type Progress, report } from '../unpack/growing-file.ts'
import { Room } from './room.ts'
import { writeAll } from './write-all.ts'

const closeAsync = promisify(close)
/** Enough for the disk to work on, seldom enough to cost nothing. */
const WRITEBACK_BYTES = 8 << 20

/** Writes a new file from its begin on, and tells who reads it meanwhile how far it is. Owns the descriptor. */
export class BlobWriter {
  readonly #fd: number
  readonly #progress: Progress
  readonly #room: Room
  readonly #begun: Promise<void>[] = []
  #size = 0
  #handedOver = 0

  constructor(fd: number, progress: Progress) {
    this.#fd = fd
    this.#progress = progress
    this.#room = new Room(fd)
  }

  get size(): number {
    return this.#size
  }

  /** One call after the other. */
  async write(chunks: readonly Buffer[]): Promise<void> {
    await this.#room.take(chunks)
    this.#size = await writeAll(this.#fd, chunks, this.#size)
    report(this.#progress, this.#size)
    const length = this.#size - this.#handedOver
    if (length < WRITEBACK_BYTES) return
    this.#begun.push(beginWriteback(this.#fd, this.#handedOver, length))
    this.#handedOver = this.#size
  }

  /** All has been written. */
  async complete(): Promise<void> {
    await this.close()
    complete(this.#progress)
  }

  async close(): Promise<void> {
    await Promise.all(this.#begun)
    await closeAsync(this.#fd)
  }
}
