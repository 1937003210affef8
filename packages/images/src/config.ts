import { EngineError } from '@ctr/errdefs'
import { type ImageConfig, isDigest, parseForeignJson } from '@ctr/oci'

/** As Docker: overlay's limit on lower directories, less some for the container. */
export const MAX_LAYERS = 125

type Check = (value: unknown) => boolean

const isString: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value)
const isBoolean: Check = (value) => typeof value === 'boolean'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isStrings: Check = (value) => Array.isArray(value) && value.every(isString)
const isStringMap: Check = (value) => isObject(value) && Object.values(value).every(isString)

const EXEC_FIELDS: Record<string, readonly [Check, string]> = {
  User: [isString, 'a string'],
  ExposedPorts: [isObject, 'an object'],
  Env: [isStrings, 'a list of strings'],
  Entrypoint: [isStrings, 'a list of strings'],
  Cmd: [isStrings, 'a list of strings'],
  Volumes: [isObject, 'an object'],
  WorkingDir: [isString, 'a string'],
  Labels: [isStringMap, 'an object of strings'],
  StopSignal: [isString, 'a string'],
  Healthcheck: [isObject, 'an object'],
  Shell: [isStrings, 'a list of strings'],
  OnBuild: [isStrings, 'a list of strings'],
  ArgsEscaped: [isBoolean, 'true or false'],
}

const HEALTHCHECK_FIELDS: Record<string, readonly [Check, string]> = {
  Test: [isStrings, 'a list of strings'],
  Interval: [isNumber, 'a number'],
  Timeout: [isNumber, 'a number'],
  StartPeriod: [isNumber, 'a number'],
  StartInterval: [isNumber, 'a number'],
  Retries: [isNumber, 'a number'],
}

const TOP_FIELDS: Record<string, readonly [Check, string]> = {
  created: [isString, 'a string'],
  author: [isString, 'a string'],
  architecture: [isString, 'a string'],
  os: [isString, 'a string'],
  variant: [isString, 'a string'],
  comment: [isString, 'a string'],
  config: [isObject, 'an object'],
  history: [(value) => Array.isArray(value) && value.every(isObject), 'a list of objects'],
}

const HISTORY_FIELDS: Record<string, readonly [Check, string]> = {
  created: [isString, 'a string'],
  created_by: [isString, 'a string'],
  author: [isString, 'a string'],
  comment: [isString, 'a string'],
  empty_layer: [isBoolean, 'true or false'],
}

/** Parses and checks the config of an image from anywhere. Unknown fields stay; null counts as absent. */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  const document = parseJson(bytes, 'image config')
  if (!isObject(document)) throw invalid('it is no object')
  checkFields(document, TOP_FIELDS, '')
  const exec = document['config']
  if (isObject(exec)) {
    checkFields(exec, EXEC_FIELDS, 'config.')
    if (isObject(exec['Healthcheck'])) {
      checkFields(exec['Healthcheck'], HEALTHCHECK_FIELDS, 'config.Healthcheck.')
    }
  }
  const history = document['history']
  if (Array.isArray(history)) {
    for (const item of history) if (isObject(item)) checkFields(item, HISTORY_FIELDS, 'history.')
  }
  const rootfs = document['rootfs']
  const diffIds = isObject(rootfs) ? (rootfs['diff_ids'] ?? []) : undefined
  if (!Array.isArray(diffIds) || !diffIds.every((id) => isString(id) && isDigest(id))) {
    throw invalid('rootfs.diff_ids must be a list of digests')
  }
  if (diffIds.length > MAX_LAYERS) throw new EngineError('INVALID_ARGUMENT', 'max depth exceeded')
  const os = textOf(document['os']) || 'linux'
  if (os !== 'linux') {
    throw new EngineError('INVALID_ARGUMENT', `cannot load ${os} image on linux`)
  }
  return {
    ...document,
    os,
    architecture: textOf(document['architecture']),
    config: isObject(exec) ? withoutNulls(exec) : {},
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return parseForeignJson(bytes)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `invalid ${what}: ${messageOf(cause)}`, { cause })
  }
}

function checkFields(
  value: Record<string, unknown>,
  fields: Record<string, readonly [Check, string]>,
  prefix: string,
): void {
  for (const [name, [check, wanted]] of Object.entries(fields)) {
    const field = value[name]
    if (field !== undefined && field !== null && !check(field)) {
      throw invalid(`${prefix}${name} must be ${wanted}`)
    }
  }
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
}

function invalid(problem: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid image config: ${problem}`)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
