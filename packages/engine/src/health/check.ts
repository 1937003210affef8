import type { ContainerConfig } from '@ctr/api'

/** Config.Healthcheck with Docker's defaults, as a probe needs it. */
export interface HealthCheck {
  /** argv */
  readonly command: readonly string[]
  readonly intervalNs: bigint
  readonly timeoutNs: bigint
  readonly retries: number
  readonly startPeriodNs: bigint
  readonly startIntervalNs: bigint
}

const SECOND_NS = 1_000_000_000n

/** Undefined: none was given, or it is switched off, or it is of a kind that nobody knows. moby daemon/health.go getProbe */
export function healthCheckOf(
  config: Pick<ContainerConfig, 'Healthcheck' | 'Shell'>,
): HealthCheck | undefined {
  const given = config.Healthcheck
  const [kind = '', ...words] = given?.Test ?? []
  const command = commandOf(kind, words, config.Shell)
  if (given === undefined || command === undefined) return undefined
  return {
    command,
    intervalNs: durationOr(given.Interval, 30n * SECOND_NS),
    timeoutNs: durationOr(given.Timeout, 30n * SECOND_NS),
    retries: given.Retries === undefined || given.Retries <= 0 ? 3 : given.Retries,
    startPeriodNs: durationOr(given.StartPeriod, 0n),
    startIntervalNs: durationOr(given.StartInterval, 5n * SECOND_NS),
  }
}

function commandOf(
  kind: string,
  words: readonly string[],
  shell: readonly string[] | undefined,
): string[] | undefined {
  switch (kind) {
    case 'CMD':
      return words.length === 0 ? undefined : [...words]
    case 'CMD-SHELL':
      return [...(shell?.length ? shell : ['/bin/sh', '-c']), ...words]
    default:
      return undefined
  }
}

function durationOr(ns: number | undefined, fallback: bigint): bigint {
  return ns === undefined || ns === 0 ? fallback : BigInt(ns)
}
