import type { ContainerConfig, HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import { isIpcSysctl, isRlimitName, parseCapability, parseSignal } from '@ctr/oci'
import { validateModes, validateNetworkMode } from './validate-modes.ts'
import { type ValidationFacts, validateResources } from './validate-resources.ts'

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
  for (const ports of Object.keys(config.ExposedPorts ?? {})) validatePorts(ports, isPortRange)
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
    throw invalid(`invalid isolation (${hostConfig.Isolation}): linux only supports 'default'`)
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

function validateSysctls(hostConfig: HostConfig): void {
  for (const [key, value] of Object.entries(hostConfig.Sysctls ?? {})) {
    if (key.includes('..') || !/^[a-zA-Z0-9_./:*-]+$/.test(key) || value.includes('\0')) {
      throw invalid(`invalid sysctl: "${key}"`)
    }
    // Either separator: the first one decides. sysctl.d(5)
    const slash = key.search(/[./]/)
    const name = key[slash] === '/' ? key.replaceAll('/', '.') : key
    const isIpc = isIpcSysctl(name)
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

/** `80`, `80/udp`; what is exposed may also be a range. */
function validatePorts(text: string, isValid: (ports: string) => boolean): void {
  const [ports = '', protocol = 'tcp', ...more] = text.split('/')
  if (!isValid(ports) || more.length > 0) {
    throw invalid(`invalid port specification: "${text}"`)
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalid(`invalid proto: ${protocol}`)
}

function validatePortBindings(hostConfig: HostConfig): void {
  for (const [port, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    validatePorts(port, (number) => parsePort(number) !== undefined)
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
