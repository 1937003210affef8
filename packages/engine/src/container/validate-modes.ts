import type { ContainerConfig, HostConfig } from '@ctr/api'
import { type EngineError, invalid } from '@ctr/errdefs'
import { networkModeContainer } from './modes.ts'
import { findPreset } from './security-presets.ts'

export function validateModes(hostConfig: HostConfig): void {
  if (hostConfig.Privileged === true && findPreset(hostConfig.SecurityOpt) !== undefined) {
    throw invalid('conflicting options: a security profile and privileged mode')
  }
  const ipc = hostConfig.IpcMode ?? ''
  if (!['', 'none', 'private', 'shareable', 'host'].includes(ipc) && !isJoined(ipc)) {
    throw invalid(`invalid IPC mode: ${ipc}`)
  }
  const pid = hostConfig.PidMode ?? ''
  if (!['', 'host'].includes(pid) && !isJoined(pid)) {
    throw invalid(`invalid PID mode: ${pid}`)
  }
  if ((hostConfig.ShmSize ?? 0) < 0) throw invalid('SHM size can not be less than 0')
  const uts = hostConfig.UTSMode ?? ''
  if (!['', 'host'].includes(uts) && !isNamespacePath(uts))
    throw invalid(`invalid UTS mode: ${uts}`)
  const score = hostConfig.OomScoreAdj ?? 0
  if (score < -1000 || score > 1000) {
    throw invalid(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`)
  }
  if ((hostConfig.CgroupParent ?? '').includes('\0')) {
    throw invalid('invalid cgroup parent: it contains a NUL byte')
  }
  const cgroupns = hostConfig.CgroupnsMode ?? ''
  if (!['', 'host', 'private'].includes(cgroupns)) {
    throw invalid(`invalid cgroup namespace mode: ${cgroupns}`)
  }
  for (const destination of Object.keys(hostConfig.Tmpfs ?? {})) {
    if (!destination.startsWith('/')) {
      throw invalid(`invalid mount path: '${destination}' mount path must be absolute`)
    }
    if (/^\/[/.]*$/.test(destination)) {
      throw invalid("invalid specification: destination can't be '/'")
    }
  }
}

function isJoined(mode: string): boolean {
  return isContainerMode(mode) || isNamespacePath(mode)
}

/** Ours, as podman's. */
function isNamespacePath(mode: string): boolean {
  return /^ns:\/[^\0]+$/.test(mode)
}

function isContainerMode(mode: string): boolean {
  return mode.startsWith('container:') && mode.length > 'container:'.length
}

export function validateNetworkMode(config: ContainerConfig, hostConfig: HostConfig): void {
  const mode = hostConfig.NetworkMode ?? ''
  const hostname = config.Hostname ?? ''
  if ((hostConfig.UTSMode ?? '') !== '' && hostname !== '') {
    throw conflicting('hostname and the UTS mode')
  }
  const isHost = mode === 'host'
  const hasLinks = (hostConfig.Links ?? []).length > 0
  if (isHost && hasLinks) {
    throw conflicting(
      "host type networking can't be used with links. This would result in undefined behavior",
    )
  }
  const isContainer = mode === 'container' || mode.startsWith('container:')
  if (isContainer && (networkModeContainer(mode) ?? '') === '') {
    throw invalid('Invalid network mode: invalid container format container:<name|id>')
  }
  if ((isContainer || isHost) && (config.MacAddress ?? '') !== '') {
    throw conflicting('mac-address and the network mode')
  }
  if (!isContainer) return
  if (hostname !== '') throw conflicting('hostname and the network mode')
  if (hasLinks) {
    throw conflicting(
      "container type network can't be used with links. This would result in undefined behavior",
    )
  }
  if ((hostConfig.Dns ?? []).length > 0) throw conflicting('dns and the network mode')
  if ((hostConfig.ExtraHosts ?? []).length > 0) {
    throw conflicting('custom host-to-IP mapping and the network mode')
  }
  const isPublishing = Object.keys(hostConfig.PortBindings ?? {}).length > 0
  if (isPublishing || hostConfig.PublishAllPorts === true) {
    throw conflicting('port publishing and the container type network mode')
  }
  if (Object.keys(config.ExposedPorts ?? {}).length > 0) {
    throw conflicting('port exposing and the container type network mode')
  }
}

function conflicting(what: string): EngineError {
  return invalid(`conflicting options: ${what}`)
}
