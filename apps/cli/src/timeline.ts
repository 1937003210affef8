/** Where the milliseconds of one command went (`run --timing`). */
export class Timeline {
  readonly #marks: { readonly name: string; readonly atMs: number }[] = []

  /** `name` is what ended at this moment. */
  mark(name: string): void {
    this.#marks.push({ name, atMs: performance.now() })
  }

  /** Since the process began; the first mark is the CLI's own start-up. */
  toString(): string {
    let lastMs = 0
    const lines = this.#marks.map(({ name, atMs }) => {
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
