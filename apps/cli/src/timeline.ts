/** Where the milliseconds of one command went (`run --timing`). */
export class Timeline {
  readonly #marks: { readonly name: string; readonly atMs: number }[] = []

  /** `name` is what ended at this moment. */
  mark(name: string): void {
    this.#marks.push({ name, atMs: performance.now() })
  }

  /** What ended somewhere else on this machine. Unix time in microseconds. */
  markAt(name: string, atUs: number): void {
    this.#marks.push({ name, atMs: atUs / 1000 - performance.timeOrigin })
  }

  /** Since the process began; the first mark is the CLI's own start-up. */
  toString(): string {
    let lastMs = 0
    const marks = this.#marks.toSorted((a, b) => a.atMs - b.atMs)
    const lines = marks.map(({ name, atMs }) => {
      const line = row(name, atMs - lastMs)
      lastMs = atMs
      return line
    })
    return `${[...lines, row('total', lastMs)].join('\n')}\n`
  }
}

function row(name: string, ms: number): string {
  return `${name.padEnd(28)}${ms.toFixed(2).padStart(9)} ms`
}
