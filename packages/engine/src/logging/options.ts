import type { HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import { parseBoolean, parseFileCount, parseSize } from './values.ts'

/** Where output goes besides the file that every driver but `none` keeps for `logs`. */
export type LogDestination =
  | { readonly kind: 'journald' }
  | {
      readonly kind: 'syslog'
      readonly address: SyslogAddress
      /** 0–23 */
      readonly facility: number
      readonly format: SyslogFormat
      readonly tls: SyslogTls
    }

export type SyslogAddress =
  | { readonly protocol: 'unixgram' | 'unix'; readonly path: string }
  | {
      readonly protocol: 'udp' | 'tcp' | 'tcp+tls'
      readonly host: string
      readonly port: number
    }

export type SyslogFormat = 'unix' | 'rfc3164' | 'rfc5424' | 'rfc5424micro'

export interface SyslogTls {
  readonly caPath: string
  readonly certificatePath: string
  readonly keyPath: string
  readonly skipsVerify: boolean
}

/** Of the file. */
interface CacheSettings {
  readonly maxBytes: number
  readonly maxFiles: number
  readonly compress: boolean
}

export interface DriverSettings {
  readonly cache: CacheSettings
  readonly destination: LogDestination | undefined
}

const COMMON = ['mode', 'max-buffer-size']
const CACHE = ['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress']
const ATTRIBUTES = ['labels', 'labels-regex', 'env', 'env-regex', 'tag']

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  local: [...COMMON, 'max-size', 'max-file', 'compress'],
  journald: [...COMMON, ...CACHE, ...ATTRIBUTES],
  syslog: [
    ...COMMON,
    ...CACHE,
    ...ATTRIBUTES,
    'syslog-address',
    'syslog-facility',
    'syslog-format',
    'syslog-tls-ca-cert',
    'syslog-tls-cert',
    'syslog-tls-key',
    'syslog-tls-skip-verify',
  ],
}

/** Docker's for `local` and for the cache of drivers that cannot be read. moby daemon/logger/local, loggerutils/cache */
const DEFAULT_CACHE: CacheSettings = { maxBytes: 20_000_000, maxFiles: 5, compress: true }

/** Undefined: a driver that is not of this file. INVALID_ARGUMENT with Docker's texts. */
export function parseDriverSettings(
  hostConfig: Pick<HostConfig, 'LogConfig'>,
): DriverSettings | undefined {
  const driver = hostConfig.LogConfig?.Type ?? ''
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined
  if (known === undefined) return undefined
  const options = hostConfig.LogConfig?.Config ?? {}
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const place = driver === 'local' ? 'log driver local' : `${driver} log driver`
    throw invalid(`unknown log opt '${key}' for ${place}`)
  }
  checkMode(options)
  return {
    cache: cacheOf(options, driver === 'local' ? '' : 'cache-'),
    destination: destinationOf(driver, options),
  }
}

type Options = Readonly<Record<string, string>>

function checkMode(options: Options): void {
  const mode = options['mode'] ?? ''
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`)
  }
  const size = options['max-buffer-size']
  if (size === undefined) return
  if (mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
  }
  parseSize(size)
}

function cacheOf(options: Options, prefix: string): CacheSettings {
  const size = options[`${prefix}max-size`]
  const files = options[`${prefix}max-file`]
  const compress = options[`${prefix}compress`]
  return {
    maxBytes: size === undefined ? DEFAULT_CACHE.maxBytes : Math.max(parseSize(size), 0),
    maxFiles: files === undefined ? DEFAULT_CACHE.maxFiles : parseFileCount(files),
    compress: compress === undefined ? DEFAULT_CACHE.compress : parseBoolean(compress),
  }
}

function destinationOf(driver: string, options: Options): LogDestination | undefined {
  if (driver === 'local') return undefined
  if (driver === 'journald') return { kind: 'journald' }
  return {
    kind: 'syslog',
    address: parseSyslogAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility'] ?? ''),
    format: parseFormat(options['syslog-format'] ?? ''),
    tls: {
      caPath: options['syslog-tls-ca-cert'] ?? '',
      certificatePath: options['syslog-tls-cert'] ?? '',
      keyPath: options['syslog-tls-key'] ?? '',
      skipsVerify: parseBoolean(options['syslog-tls-skip-verify'] ?? 'false'),
    },
  }
}

const DEFAULT_PORT = 514

export function parseSyslogAddress(text: string): SyslogAddress {
  if (text === '') return { protocol: 'unixgram', path: '/dev/log' }
  const match = /^([a-z+]+):\/\/(.*)$/.exec(text)
  const [, protocol = '', rest = ''] = match ?? []
  switch (protocol) {
    case 'unix':
    case 'unixgram':
      if (!rest.startsWith('/') || rest.includes('\0') || Buffer.byteLength(rest) > 107) {
        throw invalid(`invalid syslog address: ${text}`)
      }
      return { protocol, path: rest }
    case 'udp':
    case 'tcp':
    case 'tcp+tls': {
      const place = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(rest)
      const port = Number(place?.[3] ?? DEFAULT_PORT)
      const host = place?.[1] ?? place?.[2]
      if (host === undefined || port < 1 || port > 65_535) {
        throw invalid(`invalid syslog address: ${text}`)
      }
      return { protocol, host, port }
    }
    default:
      throw invalid(`syslog-address should be in form proto://address, got ${text}`)
  }
}

const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
]
const FIRST_LOCAL = 16
const DAEMON = 3

function parseFacility(text: string): number {
  if (text === '') return DAEMON
  const index = FACILITIES.indexOf(text)
  if (index !== -1) return index
  const local = /^local([0-7])$/.exec(text)
  if (local !== null) return FIRST_LOCAL + Number(local[1])
  if (/^\d{1,2}$/.test(text) && Number(text) <= 23) return Number(text)
  throw invalid('invalid syslog facility')
}

function parseFormat(text: string): SyslogFormat {
  switch (text) {
    case '':
      return 'unix'
    case 'rfc3164':
    case 'rfc5424':
    case 'rfc5424micro':
      return text
    default:
      throw invalid('Invalid syslog format')
  }
}
