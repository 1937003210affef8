import { EngineError } from '@ctr/errdefs'

/** ctrl-p,ctrl-q */
const DEFAULT_KEYS: readonly number[] = [0x10, 0x11]

/** `ctrl-p,ctrl-q` → bytes; each key is one character or `ctrl-` and one of a–z @ [ \ ] ^ _ . */
export function parseDetachKeys(text: string | undefined): readonly number[] {
  if (text === undefined || text === '') return DEFAULT_KEYS
  return text.split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
    // The control character of a letter is its low five bits: ascii(7).
    if (control !== undefined) return control.charCodeAt(0) & 0x1f
    const code = key.charCodeAt(0)
    if (key.length === 1 && code < 0x80) return code
    throw new EngineError('INVALID_ARGUMENT', `Invalid detach keys (${text}) provided`)
  })
}

/**
 * Watches terminal input for the detach sequence. Bytes that may be its beginning are held back until the next ones
 * decide; when it is complete none of it has been passed on.
 */
export class DetachScanner {
  readonly #keys: readonly number[]
  #matched = 0

  constructor(keys: readonly number[]) {
    this.#keys = keys
  }

  push(chunk: Uint8Array): { readonly input: Uint8Array; readonly detached: boolean } {
    // The common case costs no copy.
    if (this.#matched === 0 && !chunk.includes(this.#keys[0] ?? -1))
      return { input: chunk, detached: false }
    const input: number[] = []
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        input.push(...this.#keys.slice(0, this.#matched))
        this.#matched = 0
      }
      if (byte !== this.#keys[this.#matched]) {
        input.push(byte)
        continue
      }
      this.#matched += 1
      if (this.#matched === this.#keys.length) {
        return { input: Uint8Array.from(input), detached: true }
      }
    }
    return { input: Uint8Array.from(input), detached: false }
  }

  /** What is still held back when the input ends. */
  end(): Uint8Array {
    const held = Uint8Array.from(this.#keys.slice(0, this.#matched))
    this.#matched = 0
    return held
  }
}
