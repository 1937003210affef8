import type { ContainerConfig, HostConfig, Resources } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import { isRlimitName, parseCapability, parseSignal } from '@ctr/oci'
import { parseCpuList } from './cpu-list.ts'
import { networkModeContainer } from './modes.ts'
import { findPreset } from './security-presets.ts'

/**
 * Refuses what could not run, with dockerd's texts (daemon/container.go, daemon_unix.go, runconfig/). Pure: what the
 * host has comes in as facts. Gives the warnings of the accepted settings.
 */
export function validateContainer(
  config: ContainerConfig,
  hostConfig: HostConfig,
  host: ValidationFacts,
): string[] {
  validateNetworkMode(config, hostConfig)
  validateConfig(config)
  validateHostConfig(hostConfig)
  const warnings = validateResources(hostConfig, host, 'create')
  validateModes(hostConfig)
  if (hostConfig.NetworkMode === 'host' && Object.keys(hostConfig.PortBindings ?? {}).length > 0) {
    warnings.push('Published ports are discarded when using host network mode')
  }
  return warnings
}

export interface ValidationFacts {
  readonly facts: HostFacts
  /** CPUs that this process may use. */
  readonly cpuCount: number
}

const MiB = 1024 * 1024
const MIN_MEMORY_BYTES = 6 * MiB
const MILLISECOND_NS = 1_000_000

function validateConfig(config: ContainerConfig): void {
  const directory = config.WorkingDir ?? ''
  if (directory !== '' && !directory.startsWith('/')) {
    throw invalid(
      `the working directory '${directory}' is invalid, it needs to be an absolute path`,
    )
  }
  const stopSignal = config.StopSignal ?? ''
  if (stopSignal !== '' && parseSignal(stopSignal) === undefined) {
    throw invalid(`invalid signal: ${stopSignal}`)
  }
  for (const variable of config.Env ?? []) {
    if (variable === '' || variable.startsWith('=') || variable.includes('\0')) {
      throw invalid(`invalid environment variable: ${variable}`)
    }
  }
  for (const port of Object.keys(config.ExposedPorts ?? {})) validatePort(port)
  for (const word of [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]) {
    if (word.includes('\0')) throw invalid('invalid argument: it contains a NUL byte')
  }
  validateHostname(config.Hostname ?? '')
  validateHealthcheck(config)
}

/** sethostname(2) takes 64 bytes; a newline or NUL would break the files that carry the name. */
function validateHostname(hostname: string): void {
  if (Buffer.byteLength(hostname) > 64 || /[\0\n\r]/.test(hostname)) {
    throw invalid(`invalid hostname: ${JSON.stringify(hostname)}`)
  }
}

function validateHealthcheck(config: ContainerConfig): void {
  const check = config.Healthcheck
  if (check === undefined) return
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const duration = check[field] ?? 0
    if (duration !== 0 && duration < MILLISECOND_NS) {
      throw invalid(`${field} in Healthcheck cannot be less than 1ms`)
    }
  }
  if ((check.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative')
}

function validateHostConfig(hostConfig: HostConfig): void {
  validateRestartPolicy(hostConfig)
  for (const entry of hostConfig.ExtraHosts ?? []) validateExtraHost(entry)
  validatePortBindings(hostConfig)
  validateCapabilities('CapAdd', hostConfig.CapAdd ?? [])
  validateCapabilities('CapDrop', hostConfig.CapDrop ?? [])
  for (const limit of hostConfig.Ulimits ?? []) validateUlimit(limit)
  if (!['', 'default'].includes(hostConfig.Isolation ?? '')) {
    throw invalid(`invalid isolation '${hostConfig.Isolation}' on linux`)
  }
  if (Object.keys(hostConfig.Annotations ?? {}).includes('')) {
    throw invalid('invalid Annotations: the empty string is not permitted as an annotation key')
  }
  if (!['', 'ctr', 'runc', 'io.containerd.runc.v2'].includes(hostConfig.Runtime ?? '')) {
    throw invalid(`unknown or invalid runtime name: ${hostConfig.Runtime}`)
  }
  validateSysctls(hostConfig)
  for (const server of hostConfig.Dns ?? []) {
    if (!isIp(server)) throw invalid(`bad format: ${server} is not an IP address`)
  }
}

/** Keys that belong to an IPC namespace. runc libcontainer/configs/validate */
const IPC_SYSCTLS = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]

function validateSysctls(hostConfig: HostConfig): void {
  for (const [key, value] of Object.entries(hostConfig.Sysctls ?? {})) {
    if (key.includes('..') || !/^[a-zA-Z0-9_./:*-]+$/.test(key) || value.includes('\0')) {
      throw invalid(`invalid sysctl: "${key}"`)
    }
    // Either separator: the first one decides. sysctl.d(5)
    const slash = key.search(/[./]/)
    const name = key[slash] === '/' ? key.replaceAll('/', '.') : key
    const isIpc = IPC_SYSCTLS.includes(name) || name.startsWith('fs.mqueue.')
    const isNetwork = name.startsWith('net.')
    if (!isIpc && !isNetwork) {
      throw invalid(`sysctl "${key}" is not in a separate kernel namespace`)
    }
    if (isIpc && hostConfig.IpcMode === 'host') {
      throw invalid(`sysctl "${key}" is not allowed in the hosts ipc namespace`)
    }
    if (isNetwork && hostConfig.NetworkMode === 'host') {
      throw invalid(`sysctl "${key}" not allowed in host network namespace`)
    }
  }
}

export function validateRestartPolicy(hostConfig: HostConfig): void {
  const policy = hostConfig.RestartPolicy
  const name = policy?.Name ?? ''
  const retries = policy?.MaximumRetryCount ?? 0
  switch (name) {
    case '':
      break
    case 'no':
    case 'always':
    case 'unless-stopped':
      if (retries !== 0) {
        const negative = retries < 0 ? ' and cannot be negative' : ''
        throw invalid(
          `invalid restart policy: maximum retry count can only be used with 'on-failure'${negative}`,
        )
      }
      break
    case 'on-failure':
      if (retries < 0) {
        throw invalid('invalid restart policy: maximum retry count cannot be negative')
      }
      break
    default:
      throw invalid(
        `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      )
  }
  if (hostConfig.AutoRemove === true && name !== '' && name !== 'no') {
    throw invalid("can't create 'AutoRemove' container with restart policy")
  }
}

function validateExtraHost(entry: string): void {
  const separator = entry.search(/[:=]/)
  const name = separator === -1 ? '' : entry.slice(0, separator)
  if (name === '' || /[\s\0]/.test(entry)) throw invalid(`bad format for add-host: "${entry}"`)
  const address = entry.slice(separator + 1)
  if (address === 'host-gateway') return
  if (!isIp(address.replace(/^\[(.*)\]$/, '$1'))) {
    throw invalid(`invalid IP address in add-host: "${address}"`)
  }
}

/** `80`, `80/udp` */
function validatePort(port: string): void {
  const [number = '', protocol = 'tcp', ...more] = port.split('/')
  if (parsePort(number) === undefined || more.length > 0) {
    throw invalid(`invalid port specification: "${port}"`)
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalid(`invalid proto: ${protocol}`)
}

function validatePortBindings(hostConfig: HostConfig): void {
  for (const [port, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    validatePort(port)
    for (const { HostPort = '', HostIp = '' } of bindings) {
      if (HostPort !== '' && !isPortRange(HostPort)) {
        throw invalid(`invalid port specification: "${HostPort}"`)
      }
      if (HostIp !== '' && !isIp(HostIp)) throw invalid(`invalid IP address: ${HostIp}`)
    }
  }
}

function isPortRange(text: string): boolean {
  const [first = '', last = first, ...more] = text.split('-')
  const low = parsePort(first)
  const high = parsePort(last)
  return more.length === 0 && low !== undefined && high !== undefined && low <= high
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536
  return port <= 65_535 ? port : undefined
}

function isIp(text: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(text)
    ? text.split('.').every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
    : text.includes(':') && URL.canParse(`http://[${text.replace(/%.*$/, '')}]/`)
}

function validateCapabilities(field: string, names: readonly string[]): void {
  for (const name of names) {
    if (/^(CAP_)?ALL$/i.test(name) || parseCapability(name) !== undefined) continue
    const shown = `CAP_${name.toUpperCase().replace(/^CAP_/, '')}`
    throw invalid(`invalid ${field}: unknown capability: "${shown}"`)
  }
}

function validateUlimit(limit: { Name?: string; Soft?: number; Hard?: number }): void {
  const { Name = '', Soft = 0, Hard = 0 } = limit
  if (!isRlimitName(Name)) throw invalid(`invalid ulimit type: ${Name}`)
  if (Hard !== -1 && (Soft === -1 || Soft > Hard)) {
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`)
  }
}

/** Also for `update`: absent fields are not touched there. Gives warnings. */
export function validateResources(
  resources: Resources,
  host: ValidationFacts,
  occasion: 'create' | 'update',
): string[] {
  return [
    ...validateMemory(resources, host.facts, occasion),
    ...validateCpu(resources, host),
    ...validateBlkio(resources, host.facts),
  ]
}

function validateMemory(
  resources: Resources,
  facts: HostFacts,
  occasion: 'create' | 'update',
): string[] {
  const warnings: string[] = []
  const memory = resources.Memory ?? 0
  const swap = resources.MemorySwap ?? 0
  const reservation = resources.MemoryReservation ?? 0
  if (memory !== 0 && memory < MIN_MEMORY_BYTES) {
    throw invalid('Minimum memory limit allowed is 6MB')
  }
  if (swap < -1) throw invalid(`invalid memory swap value: ${swap}`)
  if (memory > 0 && swap !== -1 && !facts.hasSwapAccounting) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    )
  }
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage')
  }
  if (memory === 0 && swap > 0 && occasion === 'create') {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage')
  }
  const swappiness = resources.MemorySwappiness ?? -1
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`)
  }
  if (swappiness !== -1 && facts.cgroups.mode === 'v2') {
    warnings.push(
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    )
  }
  if (reservation !== 0 && reservation < MIN_MEMORY_BYTES) {
    throw invalid('Minimum memory reservation allowed is 6MB')
  }
  if (memory > 0 && reservation > memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage')
  }
  if (resources.OomKillDisable === true) {
    if (facts.cgroups.mode === 'v2') {
      warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.')
    } else if (memory === 0) {
      warnings.push(
        'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
      )
    }
  }
  if ((resources.KernelMemory ?? 0) !== 0) {
    warnings.push('Specifying a kernel memory limit is deprecated and has no effect.')
  }
  return warnings
}

function validateCpu(resources: Resources, host: ValidationFacts): string[] {
  const nanoCpus = resources.NanoCpus ?? 0
  const period = resources.CpuPeriod ?? 0
  const quota = resources.CpuQuota ?? 0
  if (nanoCpus > 0 && period > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set')
  }
  if (nanoCpus > 0 && quota > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
  }
  if (nanoCpus < 0 || nanoCpus > host.cpuCount * 1e9) {
    throw invalid(
      `range of CPUs is from 0.01 to ${host.cpuCount}.00, as there are only ${host.cpuCount} CPUs available`,
    )
  }
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    )
  }
  if (quota > 0 && quota < 1000) {
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)')
  }
  if ((resources.CpuShares ?? 0) < 0) throw invalid('CPU shares can not be negative')
  validateSet('cpus', 'CPUs', resources.CpusetCpus ?? '', host.facts.onlineCpus)
  validateSet('mems', 'memory nodes', resources.CpusetMems ?? '', host.facts.onlineMems)
  const realtimePeriod = resources.CpuRealtimePeriod ?? 0
  const realtimeRuntime = resources.CpuRealtimeRuntime ?? 0
  if (realtimePeriod !== 0 && realtimeRuntime > realtimePeriod) {
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period')
  }
  if (realtimePeriod === 0 && realtimeRuntime === 0) return []
  // The parent must have been given some; if not, the start says which file refused.
  if (host.facts.hasRealtimeGroups) return []
  return ['Your kernel does not support real-time CPU scheduling for containers.']
}

function validateSet(kind: 'cpus' | 'mems', what: string, wanted: string, available: string): void {
  if (wanted === '') return
  const numbers = parseCpuList(wanted)
  if (numbers === undefined) throw invalid(`Invalid value ${wanted} for cpuset ${kind}`)
  const have = parseCpuList(available) ?? new Set()
  if (!numbers.isSubsetOf(have)) {
    throw invalid(
      `Requested ${what} are not available - requested ${wanted}, available: ${available}`,
    )
  }
}

function validateBlkio(resources: Resources, { hasBlockIoWeight }: HostFacts): string[] {
  const weight = resources.BlkioWeight ?? 0
  if (weight !== 0 && !hasBlockIoWeight) {
    return [
      'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
    ]
  }
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000')
  }
  for (const device of resources.BlkioWeightDevice ?? []) {
    const value = device.Weight ?? 0
    if (value !== 0 && (value < 10 || value > 1000)) {
      throw invalid('Range of blkio weight is from 10 to 1000')
    }
  }
  if ((resources.IOMaximumBandwidth ?? 0) !== 0 || (resources.IOMaximumIOps ?? 0) !== 0) {
    throw invalid(
      'Invalid QoS settings: Linux does not support Maximum IO Bandwidth or Maximum IO IOps',
    )
  }
  return []
}

function validateModes(hostConfig: HostConfig): void {
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

function validateNetworkMode(config: ContainerConfig, hostConfig: HostConfig): void {
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

function invalid(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', message)
}
