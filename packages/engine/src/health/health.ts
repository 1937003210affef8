import type { HealthCheck } from './check.ts'

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy'

/** What a container's probes have shown. A value; the monitor replaces it as a whole. */
export interface Health {
  readonly status: HealthStatus
  /** Failures since the last success. */
  readonly failingStreak: number
  /** The last five, oldest first; those of former runs too. */
  readonly log: readonly ProbeResult[]
}

export interface ProbeResult {
  readonly startNs: bigint
  readonly endNs: bigint
  /** Of the process; -1 when it could not be run or took too long. */
  readonly exitCode: number
  readonly output: string
}

/** moby daemon/health.go maxLogEntries */
const KEPT_RESULTS = 5

/** A run begins. The log stays, as in Docker. */
export function started(before: Health | undefined): Health {
  return { status: 'starting', failingStreak: 0, log: before?.log ?? [] }
}

/** Nobody probes any more. Docker shows such a container as unhealthy (container/health.go CloseMonitorChannel). */
export function unwatched(before: Health): Health {
  return { ...before, status: 'unhealthy' }
}

/** Failures do not count before the start period is over, unless it has been healthy. moby handleProbeResult */
export function judge(
  before: Health,
  result: ProbeResult,
  check: Pick<HealthCheck, 'retries' | 'startPeriodNs'>,
  startedAtNs: bigint,
): Health {
  const log = [...before.log, result].slice(-KEPT_RESULTS)
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log }
  const isExcused =
    before.status === 'starting' && result.startNs - startedAtNs < check.startPeriodNs
  if (isExcused) return { ...before, log }
  const failingStreak = before.failingStreak + 1
  const status = failingStreak >= check.retries ? 'unhealthy' : before.status
  return { status, failingStreak, log }
}

/** Between the end of one probe and the next. */
export function nextIntervalNs(
  health: Health,
  check: Pick<HealthCheck, 'intervalNs' | 'startIntervalNs' | 'startPeriodNs'>,
  sinceStartNs: bigint,
): bigint {
  const isStarting = health.status === 'starting' && sinceStartNs < check.startPeriodNs
  return isStarting ? check.startIntervalNs : check.intervalNs
}
