import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { checkDefaultLog, DEFAULT_ENGINE_CONFIG, type EngineConfig } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { checkSlice, isSystemdBooted } from '@ctr/linux'
import type { LogFormat, LogLevel } from '../log.ts'
import { readConfigFile } from './file.ts'
import type { Flags } from './flags.ts'
import { defaultHost, type Host, parseHost, type TlsFiles } from './hosts.ts'
import { bridgeOptions, hostGateways, networkDefaults } from './network.ts'
import type { OptionValues } from './option.ts'
import { OPTIONS } from './options.ts'
import { defaultStorageSize } from './storage.ts'
import {
  dnsServer,
  insecureRegistry,
  invalid,
  labels,
  mirror,
  path,
  searchDomain,
  ulimit,
} from './values.ts'

const DEFAULT_CONFIG_FILE = '/etc/ctr/ctrd.json'
const DEFAULT_GROUP = 'ctr'

/** What flags and file together decide. */
export interface DaemonConfig {
  readonly hosts: readonly Host[]
  readonly tls: TlsFiles | undefined
  readonly socketGroup: {
    readonly name: string /** Asked for: must exist. */
    readonly isRequired: boolean
  }
  /** Undefined: none is written. */
  readonly pidFile: string | undefined
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** proc(5) oom_score_adj of the daemon, and of what it starts that is no container; undefined: as it is. */
  readonly oomScoreAdjust: number | undefined
  readonly metricsAddress: { readonly host: string; readonly port: number } | undefined
  /** For the environment: HTTP_PROXY and so on. */
  readonly proxies: Readonly<Record<string, string>>
  readonly engine: EngineConfig
  /** Keys that were given and have no effect here, with the reason. */
  readonly ignored: Readonly<Record<string, string>>
  /** What was given, by key. */
  readonly values: OptionValues
}

/** Reads the file that the flags name, and merges. Throws INVALID_ARGUMENT with what is wrong. */
export function loadConfig(flags: Flags): DaemonConfig {
  // An empty name means none, as for dockerd.
  const file: OptionValues =
    flags.configFile === ''
      ? new Map()
      : readConfigFile(flags.configFile ?? DEFAULT_CONFIG_FILE, flags.configFile !== undefined)
  refuseConflicts(flags.values, file)
  return daemonConfig(new Map([...file, ...flags.values]))
}

/** What SIGHUP can change of `next`, all else as it is now. */
export function reloadedConfig(
  now: DaemonConfig,
  next: DaemonConfig,
): { config: DaemonConfig; changed: readonly string[]; needRestart: readonly string[] } {
  const values = new Map(now.values)
  const changed: string[] = []
  const needRestart: string[] = []
  for (const { key, isReloadable } of OPTIONS) {
    const value = next.values.get(key)
    if (JSON.stringify(value) === JSON.stringify(now.values.get(key))) continue
    if (isReloadable !== true) {
      needRestart.push(key)
      continue
    }
    changed.push(key)
    if (value === undefined) values.delete(key)
    else values.set(key, value)
  }
  return { config: daemonConfig(values), changed, needRestart }
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
  const hosts = list('hosts')
  if (list('authorization-plugins').length > 0) {
    throw invalid(
      'authorization-plugins',
      list('authorization-plugins').join(','),
      'ctrd has no plugins, and would let everybody in',
    )
  }
  refuseOtherRuntime(text('default-runtime'))
  const tls = tlsFiles(values)
  return {
    hosts: hosts.length === 0 ? [defaultHost(tls)] : hosts.map((host) => parseHost(host, tls)),
    tls,
    metricsAddress: address('metrics-addr', text('metrics-addr')),
    proxies: proxies(values),
    values,
    socketGroup: { name: text('group') ?? DEFAULT_GROUP, isRequired: values.has('group') },
    pidFile: text('pidfile') === '' ? undefined : resolve(text('pidfile') ?? '/var/run/ctrd.pid'),
    logLevel: logLevel(text('log-level'), values.get('debug') === true),
    logFormat: oneOf(values, 'log-format', ['json', 'text']) ?? 'json',
    oomScoreAdjust: oomScoreAdjust(values),
    engine: {
      ...defaults,
      dataRoot: path('data-root', dataRoot(values) ?? defaults.dataRoot),
      execRoot: path('exec-root', text('exec-root') ?? defaults.execRoot),
      ...cgroups(text('cgroup-parent'), list('exec-opts')),
      bridge: bridgeOptions(values, defaults.bridge),
      networks: networkDefaults(values),
      hostGateways: hostGateways(values),
      defaultStorageBytes: defaultStorageSize(values),
      defaultIpcMode: oneOf(values, 'default-ipc-mode', ['private', 'shareable']),
      defaultCgroupnsMode: oneOf(values, 'default-cgroupns-mode', ['private', 'host']),
      defaultLog: defaultLog(text('log-driver'), map('log-opts')),
      defaultUlimits: ulimits(map('default-ulimits')),
      defaultShmSizeBytes:
        text('default-shm-size') === undefined
          ? defaults.defaultShmSizeBytes
          : parseSize('default-shm-size', text('default-shm-size') ?? ''),
      dns: list('dns').map(dnsServer),
      dnsSearch: list('dns-search').map(searchDomain),
      dnsOptions: list('dns-opts'),
      labels: labels(list('labels')),
      initPath: text('init-path') ? path('init-path', text('init-path') ?? '') : '',
      initByDefault: values.get('init') === true,
      noNewPrivileges: values.get('no-new-privileges') === true,
      seLinuxEnabled: values.get('selinux-enabled') === true,
      registries: {
        insecure: list('insecure-registries').map(insecureRegistry),
        mirrors: list('registry-mirrors').map(mirror),
        maxUploads: count(values, 'max-concurrent-uploads', defaults.registries.maxUploads),
        maxDownloads: count(values, 'max-concurrent-downloads', defaults.registries.maxDownloads),
        maxAttempts: count(values, 'max-download-attempts', defaults.registries.maxAttempts),
      },
      seccompProfile: text('seccomp-profile') ?? defaults.seccompProfile,
      // Docker's variable. moby daemon/runtime_unix.go
      noPivot: values.get('no-pivot') === true || (process.env['DOCKER_RAMDISK'] ?? '') !== '',
      cdiSpecDirs: values.has('cdi-spec-dirs') ? list('cdi-spec-dirs') : defaults.cdiSpecDirs,
      criuPath: text('criu-path') ?? defaults.criuPath,
      usernsRemap: text('userns-remap') ?? defaults.usernsRemap,
    },
    ignored: Object.fromEntries(
      OPTIONS.filter(({ key, help }) => help === undefined && values.has(key)).map(
        ({ key, why = '' }) => [key, why],
      ),
    ),
  }
}

/** proc(5). */
const OOM_SCORE_ADJ_MAX = 1000

function oomScoreAdjust(values: OptionValues): number | undefined {
  const value = values.get('oom-score-adjust') as number | undefined
  if (value === undefined || Math.abs(value) <= OOM_SCORE_ADJ_MAX) return value
  throw invalid('oom-score-adjust', String(value), 'must be from -1000 to 1000')
}

/** There is one, and it answers to the names that configurations of dockerd give to runc. */
function refuseOtherRuntime(name: string | undefined): void {
  if (['', 'ctr', 'runc', 'io.containerd.runc.v2'].includes(name ?? '')) return
  throw new EngineError('INVALID_ARGUMENT', `specified default runtime '${name}' does not exist`)
}

/** `graph` is its name of old. */
function dataRoot(values: OptionValues): string | undefined {
  const [root, graph] = ['data-root', 'graph'].map((key) => values.get(key) as string | undefined)
  if (root === undefined || graph === undefined) return root ?? graph
  throw invalid('graph', graph, 'is data-root by another name, and both are given')
}

/** Docker's names and places. `--tlsverify` includes `--tls`. */
function tlsFiles(values: OptionValues): TlsFiles | undefined {
  const isMutual = values.get('tlsverify') === true
  // Who says anything about verification wants TLS, as with dockerd.
  if (!values.has('tlsverify') && values.get('tls') !== true) return undefined
  const directory = process.env['DOCKER_CERT_PATH'] || join(homedir(), '.docker')
  const file = (key: string, name: string): string =>
    resolve((values.get(key) as string | undefined) ?? join(directory, name))
  return {
    cert: file('tlscert', 'cert.pem'),
    key: file('tlskey', 'key.pem'),
    ...(isMutual ? { ca: file('tlscacert', 'ca.pem') } : {}),
  }
}

function address(
  key: string,
  text: string | undefined,
): { host: string; port: number } | undefined {
  if (text === undefined) return undefined
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})$/.exec(text)
  if (match === null || Number(match[2]) > 65_535) throw invalid(key, text, 'must be host:port')
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1')
  return { host: host === '' ? '0.0.0.0' : host, port: Number(match[2]) }
}

/** `proxies` of the file, or the flags; the names of the environment. */
function proxies(values: OptionValues): Record<string, string> {
  const fromFile = (values.get('proxies') ?? {}) as Readonly<Record<string, unknown>>
  const found: Record<string, string> = {}
  for (const key of ['http-proxy', 'https-proxy', 'no-proxy']) {
    const value = values.get(key) ?? fromFile[key]
    if (value === undefined) continue
    if (typeof value !== 'string') throw invalid('proxies', key, 'must be a string')
    found[key.toUpperCase().replace('-', '_')] = value
  }
  return found
}

/** 0 means the default, as for dockerd's max-concurrent options (there 0 is refused since 23.0). */
function count(values: OptionValues, key: string, standard: number): number {
  const value = values.get(key) as number | undefined
  if (value === undefined || value === 0) return standard
  if (value < 0) throw invalid(key, String(value), 'must be positive')
  return value
}

/** Undefined when nothing is given. */
function oneOf<T extends string>(
  values: OptionValues,
  key: string,
  known: readonly T[],
): T | undefined {
  const text = values.get(key)
  if (text === undefined || text === '') return undefined
  const found = known.find((one) => one === text)
  if (found !== undefined) return found
  throw invalid(key, text as string, `must be ${known.join(' or ')}`)
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

/** Docker's `native.cgroupdriver`; its other options are of runtimes that are not ours. */
function cgroups(
  parent: string | undefined,
  options: readonly string[],
): Pick<EngineConfig, 'cgroupParent' | 'cgroupDriver'> {
  const [key = '', driver] =
    options.map((option) => option.split('=')).findLast(([name]) => name === DRIVER) ?? []
  if (driver === undefined || driver === 'cgroupfs') {
    return {
      cgroupDriver: 'cgroupfs',
      cgroupParent: cgroupParent(parent ?? DEFAULT_ENGINE_CONFIG.cgroupParent),
    }
  }
  if (driver !== 'systemd')
    throw invalid('exec-opt', `${key}=${driver}`, 'must be cgroupfs or systemd')
  if (!isSystemdBooted()) {
    throw invalid('exec-opt', `${key}=${driver}`, 'systemd does not run this host')
  }
  return { cgroupDriver: 'systemd', cgroupParent: checkSlice(parent ?? 'system.slice') }
}

const DRIVER = 'native.cgroupdriver'

/** A relative path begins at the root of the hierarchies, too. */
function cgroupParent(text: string): string {
  const names = text.split('/').filter((name) => name !== '' && name !== '.')
  if (names.length === 0 || names.includes('..') || text.includes('\0')) {
    throw invalid('cgroup-parent', text, 'must be a path in the cgroup hierarchy')
  }
  return `/${names.join('/')}`
}

function defaultLog(
  driver: string | undefined,
  given: Readonly<Record<string, unknown>>,
): EngineConfig['defaultLog'] {
  const options = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, String(value)]),
  )
  const chosen = { driver: driver || DEFAULT_ENGINE_CONFIG.defaultLog.driver, options }
  checkDefaultLog(chosen)
  return chosen
}

/** Bytes; `-1` is unlimited (0 in the engine). go-units RAMInBytes */
function parseSize(name: string, text: string): number {
  if (text === '-1') return 0
  const match = /^([0-9]+)\s*([kmgt]?)i?b?$/i.exec(text)
  if (match === null) throw invalid(name, text, 'is not a size')
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match[2] ?? '').toLowerCase())
  return Number(match[1]) * 1024 ** power
}

/** `nofile=1024:2048` as a flag, `{"Name":…,"Hard":…,"Soft":…}` in the file. */
function ulimits(map: Readonly<Record<string, unknown>>): EngineConfig['defaultUlimits'] {
  return Object.entries(map).map(([name, value]) => {
    if (typeof value === 'string') {
      const match = /^(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(value)
      if (match === null)
        throw invalid('default-ulimits', `${name}=${value}`, 'must be name=soft[:hard]')
      return ulimit(name, Number(match[1]), Number(match[2] ?? match[1]))
    }
    const { Soft, Hard } = (value ?? {}) as { Soft?: unknown; Hard?: unknown }
    if (typeof Hard !== 'number' || (Soft !== undefined && typeof Soft !== 'number')) {
      throw invalid('default-ulimits', name, 'needs Soft and Hard')
    }
    return ulimit(name, Soft ?? Hard, Hard)
  })
}
