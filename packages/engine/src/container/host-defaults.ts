import type { HostConfig } from '@ctr/api'
import type { HostFacts } from '@ctr/linux'
import { DEFAULT_READONLY_PATHS, maskedPaths } from '@ctr/oci'
import type { EngineConfig } from '../config.ts'

/**
 * Fills in what Docker fills in at creation, so that inspect shows what holds.
 * moby daemon/daemon_unix.go adaptContainerSettings
 */
export function withHostDefaults(
  hostConfig: HostConfig,
  config: EngineConfig,
  facts: HostFacts,
): HostConfig {
  const memory = hostConfig.Memory ?? 0
  const swap = hostConfig.MemorySwap ?? 0
  const log = hostConfig.LogConfig
  const isPrivileged = hostConfig.Privileged === true
  const { MemorySwappiness, PidsLimit, ...rest } = hostConfig
  return {
    ...rest,
    NetworkMode: nonEmpty(hostConfig.NetworkMode, 'default', 'bridge'),
    IpcMode: nonEmpty(hostConfig.IpcMode, '', config.defaultIpcMode ?? 'private'),
    CgroupnsMode: nonEmpty(
      hostConfig.CgroupnsMode,
      '',
      config.defaultCgroupnsMode ?? (facts.cgroups.mode === 'v2' ? 'private' : 'host'),
    ),
    Runtime: nonEmpty(hostConfig.Runtime, '', 'ctr'),
    ShmSize:
      (hostConfig.ShmSize ?? 0) === 0 ? config.defaultShmSizeBytes : (hostConfig.ShmSize ?? 0),
    MemorySwap: memory > 0 && swap === 0 ? memory * 2 : swap,
    ...(MemorySwappiness === undefined || MemorySwappiness === -1 ? {} : { MemorySwappiness }),
    ...(PidsLimit === undefined || PidsLimit <= 0 ? {} : { PidsLimit }),
    RestartPolicy: {
      Name: nonEmpty(hostConfig.RestartPolicy?.Name, '', 'no'),
      MaximumRetryCount: hostConfig.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    LogConfig: logConfigOf(log, config.defaultLog),
    ...withoutLabels(hostConfig),
    MaskedPaths: hostConfig.MaskedPaths ?? (isPrivileged ? [] : maskedPaths()),
    ReadonlyPaths: hostConfig.ReadonlyPaths ?? (isPrivileged ? [] : [...DEFAULT_READONLY_PATHS]),
  }
}

/** A container that has namespaces of the host has no labels of its own. moby daemon/daemon_unix.go generateSecurityOpt */
function withoutLabels(hostConfig: HostConfig): Pick<HostConfig, 'SecurityOpt'> {
  const { SecurityOpt: own = [], IpcMode, PidMode, Privileged } = hostConfig
  const isHosts = IpcMode === 'host' || PidMode === 'host' || Privileged === true
  if (!isHosts || own?.some((option) => /^label[=:]/.test(option))) return {}
  return { SecurityOpt: [...(own ?? []), 'label=disable'] }
}

/** moby daemon/logs.go mergeAndVerifyLogConfig */
function logConfigOf(
  given: HostConfig['LogConfig'],
  { driver, options }: EngineConfig['defaultLog'],
): NonNullable<HostConfig['LogConfig']> {
  const Type = nonEmpty(given?.Type, '', driver)
  return { Type, Config: { ...(Type === driver ? options : {}), ...given?.Config } }
}

function nonEmpty(value: string | undefined, alias: string, fallback: string): string {
  return value === undefined || value === '' || value === alias ? fallback : value
}
