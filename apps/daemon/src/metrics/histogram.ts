/** Upper bounds in seconds: the default ones of Prometheus' clients, which dockerd has. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Series {
  /** One per bound, not cumulative, and one for what is above all. */
  readonly counts: number[]
  sum: number
}

/** Durations by the value of one label, in the text format of Prometheus. */
export class Histogram {
  readonly #name: string
  readonly #help: string
  readonly #label: string
  readonly #series = new Map<string, Series>()

  /** Values that are shown from the beginning, with zeros. */
  constructor(name: string, help: string, label: string, values: readonly string[]) {
    this.#name = name
    this.#help = help
    this.#label = label
    for (const value of values) this.#open(value)
  }

  observe(value: string, seconds: number): void {
    const series = this.#series.get(value) ?? this.#open(value)
    const index = BOUNDS.findIndex((bound) => seconds <= bound)
    const at = index === -1 ? BOUNDS.length : index
    series.counts[at] = (series.counts[at] ?? 0) + 1
    series.sum += seconds
  }

  render(): string[] {
    const name = this.#name
    const lines = [`# HELP ${name} ${this.#help}`, `# TYPE ${name} histogram`]
    for (const [value, { counts, sum }] of this.#series) {
      const label = `${this.#label}="${value}"`
      let total = 0
      for (const [index, count] of counts.entries()) {
        total += count
        lines.push(`${name}_bucket{${label},le="${BOUNDS[index] ?? '+Inf'}"} ${total}`)
      }
      lines.push(`${name}_sum{${label}} ${sum}`, `${name}_count{${label}} ${total}`)
    }
    return lines
  }

  #open(value: string): Series {
    const series = { counts: BOUNDS.map(() => 0).concat(0), sum: 0 }
    this.#series.set(value, series)
    return series
  }
}
