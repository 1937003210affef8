import { existsSync } from 'node:fs'
import type { HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { HEALTH_ACTIONS } from '../health/actions.ts'
import { journalSocketPath } from '../logging/destination.ts'
import { namespaceOfMode } from './modes.ts'
import { validateRequirements } from './requirements.ts'
import { validateRootDirectory } from './root-directory.ts'

/** Checks what Docker's HostConfig does not have (@ctr/api extensions.ts). INVALID_ARGUMENT, NOT_FOUND; gives warnings. */
export function validateExtensions(
  engine: Pick<Engine, 'containers' | 'host'>,
  hostConfig: HostConfig,
): string[] {
  const action = hostConfig.HealthOnFailure ?? ''
  if (action !== '' && !HEALTH_ACTIONS.some((known) => known === action)) {
    throw invalid(
      `invalid health-on-failure action '${action}': must be one of ${HEALTH_ACTIONS.join(', ')}`,
    )
  }
  const timeout = hostConfig.RunTimeout ?? 0
  if (timeout < 0 || timeout > MAX_SECONDS) throw invalid(`invalid timeout: ${timeout}`)
  validateRequirements(engine, hostConfig.Requires ?? [])
  validateRootDirectory(hostConfig)
  validateRestartDelay(hostConfig)
  validateLogDestination(hostConfig)
  const namespace = namespaceOfMode(hostConfig.NetworkMode)
  if (namespace !== undefined && (!namespace.startsWith('/') || namespace.includes('\0'))) {
    throw invalid(`invalid network mode: ${hostConfig.NetworkMode}: must be ns:/path`)
  }
  return validateCgroupConf(engine, hostConfig)
}

/** A century; setTimeout(3) of Node is asked for less at a time. */
const MAX_SECONDS = 3_155_760_000

function validateLogDestination(hostConfig: HostConfig): void {
  if (hostConfig.LogConfig?.Type !== 'journald' || existsSync(journalSocketPath())) return
  throw invalid('failed to initialize logging driver: journald is not enabled on this host')
}

function validateRestartDelay({ RestartPolicy: policy }: HostConfig): void {
  const { MinimumDelay = 0, MaximumDelay = 0, DelayFactor = 0 } = policy ?? {}
  if (MinimumDelay < 0 || MaximumDelay < 0 || (DelayFactor !== 0 && DelayFactor < 100)) {
    throw invalid('invalid restart delay: no negative delay, and no factor below 1')
  }
  if (MaximumDelay !== 0 && MinimumDelay > MaximumDelay) {
    throw invalid('invalid restart delay: the minimum is larger than the maximum')
  }
}

function validateCgroupConf(engine: Pick<Engine, 'host'>, hostConfig: HostConfig): string[] {
  const entries = Object.entries(hostConfig.CgroupConf ?? {})
  for (const [file, value] of entries) {
    if (!/^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$/.test(file) || file === 'cgroup.procs') {
      throw invalid(`invalid cgroup-conf: ${JSON.stringify(file)} is no file of a cgroup`)
    }
    if (value.includes('\0')) throw invalid(`invalid cgroup-conf: value of ${file}`)
  }
  if (entries.length === 0 || engine.host.cgroups.mode === 'v2') return []
  return ['cgroup-conf is discarded: this host has no cgroup v2 controllers.']
}
