/** `ctrl-p,ctrl-q`: the keys that leave a session with the container going on. */
export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q'

/** Letters or `ctrl-` and one of a-z @ [ \ ] ^ _ (moby/term ToBytes). Throws an Error with Docker's text. */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === '') return new Uint8Array(0)
  return Uint8Array.from(text.split(','), keyCode)
}

function keyCode(key: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f
  if (key.length === 1) return key.charCodeAt(0)
  throw new Error(`Unknown character: '${key}'`)
}

/**
 * Looks for the keys in what the user types. Keys that may be the beginning of the sequence are held back until the next
 * key decides (moby/term proxy.go).
 */
export class DetachKeyFilter {
  readonly #keys: Uint8Array
  #matched = 0

  constructor(keys: Uint8Array) {
    this.#keys = keys
  }

  /** `bytes` is what may pass; nothing counts after a detach. */
  push(chunk: Uint8Array): { readonly bytes: Uint8Array; readonly isDetached: boolean } {
    if (this.#keys.length === 0) return { bytes: chunk, isDetached: false }
    const passed: number[] = []
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1
        if (this.#matched === this.#keys.length)
          return { bytes: Uint8Array.from(passed), isDetached: true }
        continue
      }
      passed.push(...this.#keys.subarray(0, this.#matched))
      this.#matched = byte === this.#keys[0] ? 1 : 0
      if (this.#matched === 0) passed.push(byte)
      else if (this.#keys.length === 1) return { bytes: Uint8Array.from(passed), isDetached: true }
    }
    return { bytes: Uint8Array.from(passed), isDetached: false }
  }
}
