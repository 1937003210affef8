/** For a prune that only tells what it would remove. */
export interface DryRun {
  /** Ids of containers that would be gone by then. */
  readonly withoutContainers?: readonly string[]
}

export function dryRunQuery(dryRun: DryRun | undefined): Record<string, string | boolean> {
  if (dryRun === undefined) return {}
  const gone = dryRun.withoutContainers ?? []
  return {
    'dry-run': true,
    ...(gone.length === 0 ? {} : { 'without-containers': gone.join(',') }),
  }
}
