import type { HostConfig } from '@ctr/api'

/** Docker's HostConfig.RestartPolicy, parsed. */
export type RestartPolicy = (
  | { readonly kind: 'no' | 'always' | 'unless-stopped' }
  /** `maximumRetries` 0: without end. */
  | { readonly kind: 'on-failure'; readonly maximumRetries: number }
) & { readonly delay?: RestartDelay }

/** `--restart-delay`; Docker has no way to change these. */
interface RestartDelay {
  readonly firstMs: number
  readonly maximumMs: number
  readonly factor: number
}

const DOCKERS_DELAY: RestartDelay = { firstMs: 100, maximumMs: 60_000, factor: 2 }
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
  const { firstMs, maximumMs, factor } = policy.delay ?? DOCKERS_DELAY
  if (run.previousDelayMs === 0 || run.durationMs >= STABLE_RUN_MS) return firstMs
  return Math.min(Math.round(run.previousDelayMs * factor), maximumMs)
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
  policy: HostConfig['RestartPolicy'] | null | undefined,
): RestartPolicy {
  const kind = policy?.Name
  const delay = parseDelay(policy ?? {})
  if (kind === 'always' || kind === 'unless-stopped') return { kind, ...delay }
  if (kind === 'on-failure') {
    return { kind, maximumRetries: policy?.MaximumRetryCount ?? 0, ...delay }
  }
  return { kind: 'no' } // '' and 'no'; anything else was refused at creation
}

function parseDelay(
  policy: NonNullable<HostConfig['RestartPolicy']>,
): Pick<RestartPolicy, 'delay'> {
  const { MinimumDelay = 0, MaximumDelay = 0, DelayFactor = 0 } = policy
  if (MinimumDelay === 0 && MaximumDelay === 0 && DelayFactor === 0) return {}
  const firstMs = MinimumDelay === 0 ? DOCKERS_DELAY.firstMs : Math.max(1, MinimumDelay / 1e6)
  const maximumMs = MaximumDelay === 0 ? DOCKERS_DELAY.maximumMs : MaximumDelay / 1e6
  return {
    delay: {
      firstMs: Math.round(firstMs),
      maximumMs: Math.max(Math.round(maximumMs), Math.round(firstMs)),
      factor: DelayFactor === 0 ? DOCKERS_DELAY.factor : DelayFactor / 100,
    },
  }
}
