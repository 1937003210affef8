import type { ClientMachine } from './client-machine.ts'

/** `-e`, `--env-file`, `-l`, `--label-file` (docker/cli opts/file.go, pkg/kvfile). */
export function checkEnvironment(value: string): void {
  if (value === '' || value.startsWith('='))
    throw new Error(`invalid environment variable: ${value}`)
}

export function checkLabel(value: string): void {
  const key = value.split('=')[0] ?? ''
  if (key.trimStart() === '') throw new Error(`invalid label '${value}': empty name`)
  if (/\s/.test(key)) throw new Error(`label '${key}' contains whitespaces`)
}

/** Files first, then options. A bare `KEY` takes the client's value; without one it stays bare, which unsets it. */
export function readEnvironment(
  files: readonly string[],
  values: readonly string[],
  machine: ClientMachine,
): string[] {
  const lookup = (key: string): string | undefined => machine.variable(key)
  const fromFiles = files.flatMap((file) => readKeyValueFile(file, machine, lookup))
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
  machine: ClientMachine,
): Record<string, string> {
  return keyValueMap([
    ...files.flatMap((file) => readKeyValueFile(file, machine, () => undefined)),
    ...values,
  ])
}

export function keyValueMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
    }),
  )
}

function readKeyValueFile(
  file: string,
  machine: ClientMachine,
  lookup: (key: string) => string | undefined,
): string[] {
  try {
    return parseKeyValueFile(machine.readFile(file), file, lookup)
  } catch (error) {
    if (error instanceof Error && error.cause instanceof Error && isDirectory(error.cause)) {
      throw new Error(`invalid env file (${file}): read ${file}: is a directory`, { cause: error })
    }
    throw error
  }
}

function isDirectory(cause: Error): boolean {
  return 'code' in cause && cause.code === 'EISDIR'
}

/** Go's bufio.MaxScanTokenSize. */
const MAX_LINE_BYTES = 65_536

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
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return splitLines(bytes).map((line, index) => {
    if (line.length >= MAX_LINE_BYTES)
      throw new Error(`invalid env file (${file}): bufio.Scanner: token too long`)
    try {
      return decoder.decode(line).replace(/\r$/, '')
    } catch {
      const shown = `[${line.join(' ')}]`
      throw new Error(
        `invalid env file (${file}): invalid utf8 bytes at line ${index + 1}: ${shown}`,
      )
    }
  })
}

function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let start = 0; start <= bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}
