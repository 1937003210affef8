import type { PackedTar } from './pack-directory.ts'

// packages/images/native/files.h
const REPLY_ERROR = 0
const REPLY_WRITTEN = 3
const NUMBER_BYTES = 8

/** Reads what `ctr-files pack` says, in pieces as they come. */
export class PackReplies {
  readonly #onWritten: (bytes: number) => Promise<void> | undefined
  #pending = Buffer.alloc(0)
  #result: PackedTar | undefined
  #running: Promise<void> | undefined

  /** `onWritten`: so many bytes of the archive are there; what it returns is waited for by `settled`. */
  constructor(onWritten: (bytes: number) => Promise<void> | undefined) {
    this.#onWritten = onWritten
  }

  get result(): PackedTar | undefined {
    return this.#result
  }

  /** What is left is an error's text, if any. */
  get error(): Buffer {
    return this.#pending
  }

  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  add(data: Buffer): void {
    let rest = Buffer.concat([this.#pending, data])
    while (rest.length > 0 && rest[0] !== REPLY_ERROR) {
      const isWritten = rest[0] === REPLY_WRITTEN
      const length = 1 + (isWritten ? NUMBER_BYTES : 2 * NUMBER_BYTES)
      if (rest.length < length) break
      const first = Number(rest.readBigUInt64LE(1))
      if (isWritten) this.#running = this.#onWritten(first) ?? this.#running
      else {
        const members = Number(rest.readBigUInt64LE(1 + NUMBER_BYTES))
        this.#result = { size: first, members }
      }
      rest = rest.subarray(length)
    }
    this.#pending = rest
  }
}
