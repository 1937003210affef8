import type { HostConfig } from '@ctr/api'
import type { HostFacts } from '@ctr/linux'
import { type RuntimeProcess, selectCapabilities } from '@ctr/oci'
import { overrideEnvironment, processEnvironment } from '../environment.ts'
import type { SecurityOptions } from '../security-options.ts'
import { findPreset, type SecurityPreset } from '../security-presets.ts'
import type { SpecInput } from './input.ts'

export function compileProcess(input: SpecInput, security: SecurityOptions): RuntimeProcess {
  const { container, user } = input
  const { config, hostConfig } = container
  const hasTty = config.Tty === true
  const directory = config.WorkingDir ?? ''
  return {
    terminal: hasTty,
    ...(hasTty ? { consoleSize: { height: input.rows, width: input.columns } } : {}),
    user: {
      uid: user.uid,
      gid: user.gid,
      umask: 0o022,
      additionalGids: [...user.additionalGids, ...(input.devices.cdi?.additionalGids ?? [])],
    },
    args: [container.path, ...container.args],
    env: overrideEnvironment(
      processEnvironment(config, input.hostname, user.home, input.linkEnvironment),
      [...(input.devices.cdi?.env ?? []), ...input.secretEnvironment],
    ),
    cwd: directory === '' ? '/' : directory,
    capabilities: processCapabilities(hostConfig, user.uid, input.host),
    rlimits: compileRlimits(input),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  }
}

/** The bounding set is the selection; only root has it in effect. None are inheritable or ambient. */
export function processCapabilities(
  hostConfig: HostConfig,
  uid: number,
  host: HostFacts,
): {
  bounding: string[]
  permitted: string[]
  effective: string[]
  inheritable: string[]
  ambient: string[]
} {
  const bounding = selectCapabilities({
    add: hostConfig.CapAdd,
    drop: hostConfig.CapDrop,
    privileged: hostConfig.Privileged,
    base: findPreset(hostConfig.SecurityOpt)?.capabilities,
    available: host.heldCapabilities,
  })
  const inEffect = uid === 0 ? [...bounding] : []
  return {
    bounding: [...bounding],
    permitted: inEffect,
    effective: [...inEffect],
    inheritable: [],
    ambient: [],
  }
}

function compileRlimits(input: SpecInput): { type: string; soft: number; hard: number }[] {
  const limits = new Map<string, { type: string; soft: number; hard: number }>()
  const { hostConfig } = input.container
  const all = [
    ...input.defaultUlimits,
    ...presetUlimits(findPreset(hostConfig.SecurityOpt)),
    ...(hostConfig.Ulimits ?? []),
  ]
  for (const { Name = '', Soft = 0, Hard = 0 } of all) {
    limits.set(Name, { type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard })
  }
  return [...limits.values()]
}

function presetUlimits(
  preset: SecurityPreset | undefined,
): { Name: string; Soft: number; Hard: number }[] {
  const files = preset?.openFiles
  return files === undefined ? [] : [{ Name: 'nofile', Soft: files, Hard: files }]
}
