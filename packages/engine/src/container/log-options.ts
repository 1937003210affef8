import type { ContainerConfig, HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { EngineConfig } from '../config.ts'
import { goRegexp } from '../go-regexp.ts'
import { checkTag, parseDriverSettings, renderTag, type TagSubject } from '../logging/options.ts'
import { parseBoolean, parseFileCount, parseSize } from '../logging/values.ts'

/** How the shim writes the log; undefined: not at all (`none`). */
export interface LogSettings {
  /** 0: never rotated. */
  readonly maxBytes: number
  readonly maxFiles: number
  readonly compress: boolean
  /** JSON text put into each record: `,"attrs":{…}`, or empty. */
  readonly extra: string
}

/** Without options: rotated, unlike Docker. */
const DEFAULT_MAX_BYTES = 10 * 1024 * 1024
const DEFAULT_MAX_FILES = 3

const JSON_FILE_OPTIONS = [
  'max-file',
  'max-size',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
  'mode',
  'max-buffer-size',
]

/** INVALID_ARGUMENT with Docker's texts. moby daemon/logger/jsonfilelog */
export function parseLogSettings(
  config: ContainerConfig,
  hostConfig: HostConfig,
  subject?: TagSubject,
): LogSettings | undefined {
  const driver = hostConfig.LogConfig?.Type ?? 'json-file'
  const options = hostConfig.LogConfig?.Config ?? {}
  if (driver === 'none') return undefined
  const other = parseDriverSettings(hostConfig)
  if (other !== undefined) {
    return { ...other.cache, extra: extraAttributes(config, options, subject) }
  }
  if (driver !== 'json-file' && driver !== '') {
    throw invalid(`error looking up logging plugin ${driver}: plugin "${driver}" not found`)
  }
  for (const key of Object.keys(options)) {
    if (!JSON_FILE_OPTIONS.includes(key)) {
      throw invalid(`unknown log opt '${key}' for json-file log driver`)
    }
  }
  if (options['tag'] !== undefined) checkTag(options['tag'])
  const mode = options['mode'] ?? ''
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`)
  }
  const bufferSize = options['max-buffer-size']
  if (bufferSize !== undefined && mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
  }
  if (bufferSize !== undefined) parseSize(bufferSize)
  const size = options['max-size']
  const files = options['max-file']
  const maxBytes = size === undefined ? DEFAULT_MAX_BYTES : parseSize(size)
  const maxFiles = files === undefined ? DEFAULT_MAX_FILES : parseFileCount(files)
  const compress = options['compress']
  if (compress !== undefined && parseBoolean(compress) && maxFiles < 2) {
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set')
  }
  return {
    maxBytes: Math.max(maxBytes, 0),
    maxFiles,
    compress: compress !== undefined && parseBoolean(compress),
    extra: extraAttributes(config, options, subject),
  }
}

/** Whether containers can log so without saying anything. INVALID_ARGUMENT with Docker's texts. */
export function checkDefaultLog({ driver, options }: EngineConfig['defaultLog']): void {
  parseLogSettings({}, { LogConfig: { Type: driver, Config: { ...options } } })
}

/** Labels and variables that the user wants in each record. moby daemon/logger/loginfo.go ExtraAttributes */
export function loggedAttributes(
  config: ContainerConfig,
  options: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment = Object.fromEntries(
    (config.Env ?? []).map((variable) => {
      const equals = variable.indexOf('=')
      return equals === -1
        ? [variable, '']
        : [variable.slice(0, equals), variable.slice(equals + 1)]
    }),
  )
  return {
    ...pick(config.Labels ?? {}, options['labels'], options['labels-regex']),
    ...pick(environment, options['env'], options['env-regex']),
  }
}

function extraAttributes(
  config: ContainerConfig,
  options: Readonly<Record<string, string>>,
  subject: TagSubject | undefined,
): string {
  const { tag } = options
  const attributes = {
    ...loggedAttributes(config, options),
    ...(tag === undefined || subject === undefined ? {} : { tag: renderTag(tag, subject) }),
  }
  // In Go's order of maps.
  const sorted = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.length === 0 ? '' : `,"attrs":${JSON.stringify(Object.fromEntries(sorted))}`
}

function pick(
  values: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? '').split(',').filter((name) => name !== ''))
  const regex = pattern === undefined || pattern === '' ? undefined : goRegexp(pattern)
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => wanted.has(name) || regex?.test(name) === true),
  )
}

function invalid(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', message)
}
