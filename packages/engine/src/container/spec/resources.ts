import type { HostConfig } from '@ctr/api'
import { defaultDeviceRules, type RuntimeResources } from '@ctr/oci'
import type { SpecInput } from './input.ts'

/** Periods of --cpus. moby daemon/daemon_unix.go getCPUResources */
const CPU_PERIOD_US = 100_000

/** Also for `update`. Zero and absent mean: not limited, not written. */
export function compileResources(
  hostConfig: HostConfig,
  looked: Pick<SpecInput, 'devices' | 'blockIO'>,
): RuntimeResources {
  const nanoCpus = hostConfig.NanoCpus ?? 0
  const cpu =
    nanoCpus > 0
      ? { period: CPU_PERIOD_US, quota: Math.trunc((nanoCpus * CPU_PERIOD_US) / 1e9) }
      : { period: positive(hostConfig.CpuPeriod), quota: nonZero(hostConfig.CpuQuota) }
  return {
    devices: defaultDeviceRules({
      isPrivileged: hostConfig.Privileged,
      extra: looked.devices.rules,
    }),
    memory: {
      limit: positive(hostConfig.Memory),
      reservation: positive(hostConfig.MemoryReservation),
      swap: nonZero(hostConfig.MemorySwap),
      swappiness: hostConfig.MemorySwappiness,
      disableOOMKiller: hostConfig.OomKillDisable === true ? true : undefined,
    },
    cpu: {
      ...cpu,
      shares: positive(hostConfig.CpuShares),
      cpus: nonEmpty(hostConfig.CpusetCpus),
      mems: nonEmpty(hostConfig.CpusetMems),
      realtimePeriod: positive(hostConfig.CpuRealtimePeriod),
      realtimeRuntime: positive(hostConfig.CpuRealtimeRuntime),
    },
    pids: { limit: positive(hostConfig.PidsLimit) },
    ...(looked.blockIO === undefined ? {} : { blockIO: looked.blockIO }),
    ...(hostConfig.CgroupConf === undefined ? {} : { unified: hostConfig.CgroupConf }),
  }
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
