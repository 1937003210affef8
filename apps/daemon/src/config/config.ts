import { resolve } from 'node:path'
import { DEFAULT_ENGINE_CONFIG, type EngineConfig } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { LogLevel } from '../log.ts'
import { readConfigFile } from './file.ts'
import type { Flags } from './flags.ts'
import { OPTIONS, type OptionValues } from './options.ts'

export const DEFAULT_CONFIG_FILE = '/etc/ctr/ctrd.json'
const DEFAULT_SOCKET = '/var/run/ctr.sock'
const DEFAULT_GROUP = 'ctr'

/** What flags and file together decide. */
export interface DaemonConfig {
  /** Absolute paths of unix sockets. */
  readonly sockets: readonly string[]
  readonly socketGroup: {
    readonly name: string /** Asked for: must exist. */
    readonly isRequired: boolean
  }
  readonly pidFile: string
  readonly logLevel: LogLevel
  readonly engine: EngineConfig
  /** Keys that were given and have no effect here. */
  readonly ignoredKeys: readonly string[]
}

/** Reads the file that the flags name, and merges. Throws INVALID_ARGUMENT with what is wrong. */
export function loadConfig(flags: Flags): DaemonConfig {
  const file = readConfigFile(
    flags.configFile ?? DEFAULT_CONFIG_FILE,
    flags.configFile !== undefined,
  )
  refuseConflicts(flags.values, file)
  return daemonConfig(new Map([...file, ...flags.values]))
}

function refuseConflicts(flags: OptionValues, file: OptionValues): void {
  const conflicts = [...flags].filter(([key]) => file.has(key))
  if (conflicts.length === 0) return
  const list = conflicts
    .map(([key, value]) => `${key}: (from flag: ${show(value)}, from file: ${show(file.get(key))})`)
    .join(', ')
  throw new EngineError(
    'INVALID_ARGUMENT',
    `unable to configure ctrd: the following directives are specified both as a flag and in the configuration file: ${list}`,
  )
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function daemonConfig(values: OptionValues): DaemonConfig {
  const text = (key: string): string | undefined => values.get(key) as string | undefined
  const list = (key: string): readonly string[] => (values.get(key) as readonly string[]) ?? []
  const map = (key: string): Readonly<Record<string, unknown>> =>
    (values.get(key) as Readonly<Record<string, unknown>>) ?? {}

  const defaults = DEFAULT_ENGINE_CONFIG
  const execRoot = resolve(text('exec-root') ?? defaults.execRoot)
  const hosts = list('hosts')
  return {
    sockets: hosts.length === 0 ? [DEFAULT_SOCKET] : hosts.map(socketPath),
    socketGroup: { name: text('group') ?? DEFAULT_GROUP, isRequired: values.has('group') },
    pidFile: resolve(text('pidfile') ?? '/var/run/ctrd.pid'),
    logLevel: logLevel(text('log-level'), values.get('debug') === true),
    engine: {
      ...defaults,
      dataRoot: resolve(text('data-root') ?? defaults.dataRoot),
      execRoot,
      cgroupParent: cgroupParent(text('cgroup-parent') ?? defaults.cgroupParent),
      bridge: bridge(text('bridge'), text('bip')),
      defaultLog: { ...defaults.defaultLog, ...logOptions(map('log-opts')) },
      defaultUlimits: ulimits(map('default-ulimits')),
      defaultShmSizeBytes:
        text('default-shm-size') === undefined
          ? defaults.defaultShmSizeBytes
          : parseSize('default-shm-size', text('default-shm-size') ?? ''),
      dns: list('dns'),
      dnsSearch: list('dns-search'),
      dnsOptions: list('dns-opts'),
      labels: list('labels').map(label),
      initByDefault: values.get('init') === true,
      noNewPrivileges: values.get('no-new-privileges') === true,
      registries: {
        insecure: list('insecure-registries'),
        mirrors: list('registry-mirrors').map(mirror),
      },
      seccompProfile: text('seccomp-profile') ?? defaults.seccompProfile,
    },
    ignoredKeys: OPTIONS.filter(({ key, help }) => help === undefined && values.has(key)).map(
      ({ key }) => key,
    ),
  }
}

function socketPath(host: string): string {
  const path = host.startsWith('unix://') ? host.slice('unix://'.length) : undefined
  if (path === undefined) {
    throw invalid('host', host, 'only unix:///path is served')
  }
  const absolute = resolve(path === '' ? DEFAULT_SOCKET : path)
  // unix(7): sun_path has 108 bytes, the last of them NUL.
  if (Buffer.byteLength(absolute) > 107)
    throw invalid('host', host, 'a socket path has at most 107 bytes')
  return absolute
}

function logLevel(text: string | undefined, isDebug: boolean): LogLevel {
  if (isDebug) return 'debug'
  switch (text ?? 'info') {
    case 'trace':
    case 'debug':
      return 'debug'
    case 'info':
      return 'info'
    case 'warn':
    case 'warning':
      return 'warn'
    case 'error':
      return 'error'
    case 'fatal':
    case 'panic':
      return 'fatal'
    default:
      throw invalid('log-level', text ?? '', 'must be debug, info, warn, error or fatal')
  }
}

function cgroupParent(text: string): string {
  if (!text.startsWith('/') || text.split('/').includes('..')) {
    throw invalid('cgroup-parent', text, 'must be an absolute path in the cgroup hierarchy')
  }
  return text.replace(/\/+$/, '')
}

function bridge(name: string | undefined, bip: string | undefined): EngineConfig['bridge'] {
  if (bip !== undefined && !/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(bip)) {
    throw invalid('bip', bip, 'must be an IPv4 address with prefix length')
  }
  if (name === 'none') {
    if (bip !== undefined) throw invalid('bip', bip, 'has no meaning without a bridge')
    return { kind: 'none' }
  }
  // netdevice(7): IFNAMSIZ is 16 with the NUL.
  if (name !== undefined && (!/^[^\s/:%]{1,15}$/.test(name) || name === '.' || name === '..')) {
    throw invalid('bridge', name, 'is not an interface name')
  }
  const base = DEFAULT_ENGINE_CONFIG.bridge
  const defaultName = base.kind === 'bridge' ? base.name : 'ctr0'
  return { kind: 'bridge', name: name ?? defaultName, ...(bip === undefined ? {} : { bip }) }
}

function logOptions(
  options: Readonly<Record<string, unknown>>,
): Partial<EngineConfig['defaultLog']> {
  const result: { maxBytes?: number; maxFiles?: number; compress?: boolean } = {}
  for (const [key, value] of Object.entries(options)) {
    if (key === 'max-size') result.maxBytes = parseSize('log-opts max-size', String(value))
    else if (key === 'max-file')
      result.maxFiles = positiveInteger('log-opts max-file', String(value))
    else if (key === 'compress') result.compress = String(value) === 'true'
  }
  return result
}

/** `-1` is unlimited (0 in the engine), as for Docker's max-size. */
function parseSize(name: string, text: string): number {
  if (text === '-1') return 0
  const match = /^([0-9]+)\s*([kmgt]?)i?b?$/i.exec(text)
  if (match === null) throw invalid(name, text, 'is not a size')
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match[2] ?? '').toLowerCase())
  return Number(match[1]) * 1024 ** power
}

function positiveInteger(name: string, text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text)
  throw invalid(name, text, 'must be a positive number')
}

/** `nofile=1024:2048` as a flag, `{"Name":…,"Hard":…,"Soft":…}` in the file. */
function ulimits(map: Readonly<Record<string, unknown>>): EngineConfig['defaultUlimits'] {
  return Object.entries(map).map(([name, value]) => {
    if (typeof value === 'string') {
      const match = /^(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(value)
      if (match === null)
        throw invalid('default-ulimits', `${name}=${value}`, 'must be name=soft[:hard]')
      return { Name: name, Soft: Number(match[1]), Hard: Number(match[2] ?? match[1]) }
    }
    const { Soft, Hard } = (value ?? {}) as { Soft?: unknown; Hard?: unknown }
    if (typeof Hard !== 'number' || (Soft !== undefined && typeof Soft !== 'number')) {
      throw invalid('default-ulimits', name, 'needs Soft and Hard')
    }
    return { Name: name, Soft: Soft ?? Hard, Hard }
  })
}

function mirror(text: string): string {
  const url = URL.parse(text)
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '') return text
  throw invalid('registry-mirrors', text, 'must be an http or https URL')
}

function label(text: string): string {
  if (/^[^=]+=/.test(text)) return text
  throw invalid('labels', text, 'must be key=value')
}

function invalid(key: string, value: string, why: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid ${key} ${JSON.stringify(value)}: ${why}`)
}
