import { formatSize } from '../format/size.ts'
import { isTerminal } from '../node-modules.ts'
import { writeErr } from './write.ts'

/** What takes less time is over before anybody wonders. */
const QUIET_MS = 1000
const REDRAW_MS = 250
/** CSI 2 K: erase the line. */
const ERASE = '\u001b[2K\r'

/**
 * A line on the terminal's stderr, as long as something takes more than a second: `Saving image: 12.3MB`. It is gone at the
 * end. Without a terminal, or with `isQuiet`, there is none.
 */
export class Transfer implements Disposable {
  readonly #timers: NodeJS.Timeout[] = []
  readonly #label: string
  #bytes = 0
  #isShown = false

  constructor(label: string, o: { readonly isQuiet?: boolean } = {}) {
    this.#label = label
    if (o.isQuiet === true || !isTerminal(2)) return
    this.#timers.push(setTimeout(() => this.#begin(), QUIET_MS).unref())
  }

  /** The same bytes, counted. */
  async *count(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      this.#bytes += chunk.length
      yield chunk
    }
  }

  #begin(): void {
    this.#draw()
    this.#timers.push(setInterval(() => this.#draw(), REDRAW_MS).unref())
  }

  #draw(): void {
    this.#isShown = true
    const amount = this.#bytes === 0 ? '…' : `: ${formatSize(this.#bytes)}`
    writeErr(`${ERASE}${this.#label}${amount}`)
  }

  /** Before anything else is printed. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    if (this.#isShown) writeErr(ERASE)
    this.#isShown = false
  }

  [Symbol.dispose](): void {
    this.end()
  }
}
