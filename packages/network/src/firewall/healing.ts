import type { Firewall } from './firewall.ts'

/** So that two programs that delete each other's rules do not keep a CPU busy. */
const PAUSE_MS = 250

interface Logger {
  warn(fields: object, message: string): void
}

/** Puts our rules back when another program has deleted them. */
export class Healing implements Disposable {
  readonly #firewall: Firewall
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  /** What is taken down now is not to come back. */
  #isOver = false

  constructor(firewall: Firewall, log: Logger) {
    this.#firewall = firewall
    this.#log = log
  }

  /**
   * Somebody has deleted something from the ruleset of nftables; much of it comes at once, and some of it is our own.
   * Looks at our table a moment later, and makes it anew if it is not whole.
   */
  soon(): void {
    if (this.#timer !== undefined || this.#isOver) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#heal().catch((err: unknown) => this.#log.warn({ err }, 'look at the firewall'))
    }, PAUSE_MS)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  async #heal(): Promise<void> {
    if (!(await this.#firewall.heal())) return
    this.#log.warn({}, 'another program has deleted rules of the firewall; they are back')
  }
}
