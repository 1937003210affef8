import { readUserFile } from './open-file.ts'
import { rawVariable } from './raw-process.ts'

/** `-e`, `--env-file`, `-l`, `--label-file` (docker/cli opts/file.go, pkg/kvfile). */
type Environment = Readonly<Record<string, string | undefined>>

export function checkEnvironment(value: string): void {
  if (value === '' || value.startsWith('='))
    throw new Error(`invalid environment variable: ${value}`)
}

export function checkLabel(value: string): void {
  if (value.startsWith('=')) throw new Error(`invalid label '${value}': empty name`)
  if (value === '') throw new Error("invalid label '': empty name")
}

/** Files first, then options. A bare `KEY` takes the client's value; without one it stays bare, which unsets it. */
export function readEnvironment(
  files: readonly string[],
  values: readonly string[],
  environment: Environment,
): string[] {
  const lookup = (key: string): string | undefined => rawVariable(key, environment[key])
  const fromFiles = files.flatMap((file) => readKeyValueFile(file, lookup))
  const fromOptions = values.map((value) => {
    if (value.includes('=')) return value
    const own = lookup(value)
    return own === undefined ? value : `${value}=${own}`
  })
  return [...fromFiles, ...fromOptions]
}

export function readLabels(
  files: readonly string[],
  values: readonly string[],
): Record<string, string> {
  return keyValueMap([...files.flatMap((file) => readKeyValueFile(file, () => '')), ...values])
}

export function keyValueMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
    }),
  )
}

function readKeyValueFile(file: string, lookup: (key: string) => string | undefined): string[] {
  return parseKeyValueFile(readUserFile(file), file, lookup)
}

/** `KEY=value` per line; `#` comments; no quotes, no expansion; a bare KEY is looked up and left out when not found. */
export function parseKeyValueFile(
  bytes: Uint8Array,
  file: string,
  lookup: (key: string) => string | undefined,
): string[] {
  const pairs: string[] = []
  const lines = decodeLines(bytes, file)
  for (const raw of lines) {
    const line = raw.trimStart()
    if (line === '' || line.startsWith('#')) continue
    const equals = line.indexOf('=')
    const key = equals < 0 ? line : line.slice(0, equals)
    if (/[ \t]/.test(key))
      throw new Error(`invalid env file (${file}): variable '${key}' contains whitespaces`)
    if (key === '')
      throw new Error(`invalid env file (${file}): no variable name on line '${line}'`)
    if (equals >= 0) {
      pairs.push(line)
      continue
    }
    const value = lookup(key)
    if (value !== undefined) pairs.push(`${key}=${value}`)
  }
  return pairs
}

function decodeLines(bytes: Uint8Array, file: string): string[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Error(`invalid env file (${file}): invalid utf8 bytes`)
  }
  return text.split('\n').map((line) => line.replace(/\r$/, ''))
}
