import type { ContainerConfig, HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import type { EngineConfig } from '../config.ts'
import { loggedAttributes } from '../logging/attributes.ts'
import { parseDriverSettings } from '../logging/options.ts'
import { renderTag, type TagSubject } from '../logging/tag.ts'
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

/** For a tag that is tried out. */
const ANYBODY: Omit<TagSubject, 'hostConfig'> = {
  id: '0'.repeat(64),
  name: 'name',
  imageId: `sha256:${'0'.repeat(64)}`,
  imageReference: 'image',
  path: 'true',
  args: [],
  createdAtNs: 0n,
  config: {},
}

/** Whether containers can log so without saying anything. INVALID_ARGUMENT with Docker's texts. */
export function checkDefaultLog({ driver, options }: EngineConfig['defaultLog']): void {
  const hostConfig: HostConfig = { LogConfig: { Type: driver, Config: { ...options } } }
  parseLogSettings({}, hostConfig, { ...ANYBODY, hostConfig })
}

function extraAttributes(
  config: ContainerConfig,
  options: Readonly<Record<string, string>>,
  subject: TagSubject | undefined,
): string {
  const tag = options['tag'] ?? ''
  const attributes = {
    ...loggedAttributes(config, options),
    ...(tag === '' || subject === undefined ? {} : { tag: renderTag(tag, subject) }),
  }
  // In Go's order of maps.
  const sorted = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.length === 0 ? '' : `,"attrs":${JSON.stringify(Object.fromEntries(sorted))}`
}
