/** Docker's HostConfig.RestartPolicy, parsed. */
export type RestartPolicy =
  | { readonly kind: 'no' | 'always' | 'unless-stopped' }
  /** `maximumRetries` 0: without end. */
  | { readonly kind: 'on-failure'; readonly maximumRetries: number }

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 60_000
/** A run of this length ends the series: the next delay is the first one again. moby restartmanager.go */
const STABLE_RUN_MS = 10_000

export interface FinishedRun {
  readonly exitCode: number
  readonly durationMs: number
  /** How often the policy has restarted this container since it was last started by hand. */
  readonly restartCount: number
  /** Delay before this run; 0 for one that was started by hand. */
  readonly previousDelayMs: number
  readonly isManuallyStopped: boolean
  /** A stop or kill of this run was asked for. */
  readonly isCancelled: boolean
}

/** The delay before the next run, or undefined when the container stays stopped. */
export function nextRestart(policy: RestartPolicy, run: FinishedRun): number | undefined {
  if (run.isCancelled || !wantsRestart(policy, run)) return undefined
  if (run.previousDelayMs === 0 || run.durationMs >= STABLE_RUN_MS) return FIRST_DELAY_MS
  return Math.min(run.previousDelayMs * 2, MAX_DELAY_MS)
}

function wantsRestart(policy: RestartPolicy, run: FinishedRun): boolean {
  switch (policy.kind) {
    case 'no':
      return false
    case 'always':
      return true
    case 'unless-stopped':
      return !run.isManuallyStopped
    case 'on-failure':
      return (
        run.exitCode !== 0 &&
        (policy.maximumRetries === 0 || run.restartCount < policy.maximumRetries)
      )
  }
}

/** After a boot, or after the engine was away: whether a container that does not run is started. */
export function startsWithEngine(
  policy: RestartPolicy,
  container: {
    readonly hasStartedBefore: boolean
    readonly isManuallyStopped: boolean
    readonly exitCode: number
    readonly restartCount: number
  },
): boolean {
  if (!container.hasStartedBefore) return false
  switch (policy.kind) {
    case 'no':
      return false
    case 'always':
      return true
    case 'unless-stopped':
      return !container.isManuallyStopped
    case 'on-failure':
      return (
        !container.isManuallyStopped &&
        container.exitCode !== 0 &&
        (policy.maximumRetries === 0 || container.restartCount < policy.maximumRetries)
      )
  }
}

export function parseRestartPolicy(
  policy: { Name?: string; MaximumRetryCount?: number } | null | undefined,
): RestartPolicy {
  const kind = policy?.Name
  if (kind === 'always' || kind === 'unless-stopped') return { kind }
  if (kind === 'on-failure') return { kind, maximumRetries: policy?.MaximumRetryCount ?? 0 }
  return { kind: 'no' } // '' and 'no'; anything else was refused at creation
}
