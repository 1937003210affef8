const REASONS = [
  'build_canceled',
  'dockerfile_syntax_error',
  'error_processing_commands_error',
] as const

export type BuildFailure = (typeof REASONS)[number]

/** dockerd's counters of builds. */
export class BuildCounts {
  #triggered = 0
  readonly #failed = new Map<BuildFailure, number>(REASONS.map((reason) => [reason, 0]))

  begin(): void {
    this.#triggered += 1
  }

  fail(reason: BuildFailure): void {
    this.#failed.set(reason, (this.#failed.get(reason) ?? 0) + 1)
  }

  render(): string[] {
    return [
      '# HELP builder_builds_failed_total Number of failed image builds',
      '# TYPE builder_builds_failed_total counter',
      ...[...this.#failed].map(
        ([reason, count]) => `builder_builds_failed_total{reason="${reason}"} ${count}`,
      ),
      '# HELP builder_builds_triggered_total Number of triggered image builds',
      '# TYPE builder_builds_triggered_total counter',
      `builder_builds_triggered_total ${this.#triggered}`,
    ]
  }
}
