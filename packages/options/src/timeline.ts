/** Where the milliseconds of one command went (`run --timing`). */
export class Timeline {
  readonly #startMs: number
  readonly #marks: { readonly name: string; readonly atMs: number }[] = []

  /** From `startMs` (Unix time in milliseconds) on: when this process began, or the one that asked it. */
  constructor(startMs = performance.timeOrigin) {
    this.#startMs = startMs
  }

  /** `name` is what ended at this moment. */
  mark(name: string): void {
    this.#marks.push({ name, atMs: performance.timeOrigin + performance.now() })
  }

  /** What ended somewhere else on this machine. Unix time in microseconds. */
  markAt(name: string, atUs: number): void {
    this.#marks.push({ name, atMs: atUs / 1000 })
  }

  /** One line for each mark, the time since the one before, and their sum. */
  toString(): string {
    let lastMs = this.#startMs
    const marks = this.#marks.toSorted((a, b) => a.atMs - b.atMs)
    const lines = marks.map(({ name, atMs }) => {
      const line = row(name, atMs - lastMs)
      lastMs = atMs
      return line
    })
    return `${[...lines, row('total', lastMs - this.#startMs)].join('\n')}\n`
  }
}

function row(name: string, ms: number): string {
  return `${name.padEnd(28)}${ms.toFixed(2).padStart(9)} ms`
}
