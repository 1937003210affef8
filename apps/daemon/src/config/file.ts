import { readFileSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import type { Option, OptionValue, OptionValues } from './option.ts'
import { OPTIONS } from './options.ts'

/** Reads the configuration file; a missing one is empty unless it was asked for by name. */
export function readConfigFile(path: string, isRequired: boolean): OptionValues {
  try {
    return parseConfigFile(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (!isRequired && isErrno(error, 'ENOENT')) return new Map()
    if (error instanceof EngineError) throw error
    throw new EngineError(
      'INVALID_ARGUMENT',
      `read configuration file: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
}

/** Unknown keys, doubled keys and wrong types are refused: a typing error must not change what a daemon does. */
export function parseConfigFile(text: string, path: string): OptionValues {
  // moby takes an empty file for an empty document.
  if (text.trim() === '') return new Map()
  const fail = (what: string): EngineError =>
    new EngineError('INVALID_ARGUMENT', `unable to configure ctrd with file ${path}: ${what}`)

  const document = parseJson(text, fail)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw fail('the file must hold one JSON object')
  }
  const doubled = doubledKeys(text)
  if (doubled.length > 0) throw fail(`the following keys are given twice: ${doubled.join(', ')}`)
  const unknown = Object.keys(document).filter(
    (key) => !OPTIONS.some((option) => option.key === key),
  )
  if (unknown.length > 0) {
    throw fail(
      `the following directives don't match any configuration option: ${unknown.join(', ')}`,
    )
  }
  const values = new Map<string, OptionValue>()
  for (const [key, value] of Object.entries(document) as [string, unknown][]) {
    const option = OPTIONS.find((candidate) => candidate.key === key)
    if (option === undefined || value === null) continue
    if (!hasKind(option, value)) throw fail(`${key} must be ${KIND_NAME[option.kind]}`)
    values.set(key, value)
  }
  return values
}

const KIND_NAME: Readonly<Record<Option['kind'], string>> = {
  string: 'a string',
  boolean: 'a boolean',
  integer: 'an integer',
  list: 'a list of strings',
  map: 'an object',
  pools: 'a list of objects',
  nested: 'an object of objects',
  any: 'a value',
}

function hasKind(option: Option, value: unknown): value is OptionValue {
  switch (option.kind) {
    case 'string':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'integer':
      return Number.isSafeInteger(value)
    case 'list':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'map':
      return typeof value === 'object' && !Array.isArray(value)
    case 'pools':
      return Array.isArray(value)
    case 'nested':
      return typeof value === 'object' && !Array.isArray(value)
    case 'any':
      return true
  }
}

function parseJson(text: string, fail: (what: string) => EngineError): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw fail((error as Error).message)
  }
}

/** Keys that occur twice in one object of a valid JSON text: JSON.parse keeps the last one without a word. */
export function doubledKeys(text: string): string[] {
  const doubled = new Set<string>()
  const open: (Set<string> | undefined)[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const key: string = JSON.parse(token.slice(0, -1).trim())
      const keys = open.at(-1)
      if (keys?.has(key)) doubled.add(key)
      keys?.add(key)
    }
  }
  return [...doubled]
}
