import { type EngineError, invalid } from '@ctr/errdefs'
import { type ImageExecConfig, parseSignal } from '@ctr/oci'
import { normalizePorts } from './expose.ts'
import { expandWord, splitWords } from './shell-words.ts'

/** Dockerfile instructions that commit and import take with --change. */
const INSTRUCTIONS: Record<string, (config: Draft, text: string) => void> = {
  cmd: (config, text) => {
    config.Cmd = commandLine(config, text)
    config.isCmdSet = true
  },
  entrypoint: (config, text) => {
    config.Entrypoint = commandLine(config, text)
    // The old command belongs to the old entrypoint.
    if (!config.isCmdSet) config.Cmd = undefined
  },
  env: (config, text) => {
    const env = new Map((config.Env ?? []).map((item) => splitAt(item, '=')))
    for (const [key, value] of keyValues(config, 'ENV', text)) env.set(key, value)
    config.Env = [...env].map(([key, value]) => `${key}=${value}`)
  },
  expose: (config, text) => {
    const ports = splitWords(expand(config, text)).flatMap(normalizePorts)
    if (ports.length === 0) throw requires('EXPOSE', 'at least one argument')
    config.ExposedPorts = { ...config.ExposedPorts, ...toSet(ports) }
  },
  healthcheck: (config, text) => {
    config.Healthcheck = parseHealthcheck(config, text)
  },
  label: (config, text) => {
    const labels = Object.fromEntries(keyValues(config, 'LABEL', text))
    config.Labels = { ...config.Labels, ...labels }
  },
  onbuild: (config, text) => {
    const [trigger = ''] = text.split(/\s/)
    if (trigger === '') throw requires('ONBUILD', 'at least one argument')
    if (/^onbuild$/i.test(trigger)) {
      throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    }
    if (/^(?:from|maintainer)$/i.test(trigger)) {
      throw invalid(`${trigger.toUpperCase()} isn't allowed as an ONBUILD trigger`)
    }
    config.OnBuild = [...(config.OnBuild ?? []), text]
  },
  shell: (config, text) => {
    const words = parseJsonArray(text)
    if (words === undefined) throw invalid('SHELL requires the arguments to be in JSON form')
    if (words.length === 0) throw requires('SHELL', 'at least one argument')
    config.Shell = words
  },
  stopsignal: (config, text) => {
    const signal = expand(config, oneWord('STOPSIGNAL', text))
    if (parseSignal(signal) === undefined) throw invalid(`Invalid signal: ${signal}`)
    config.StopSignal = signal
  },
  user: (config, text) => {
    config.User = expand(config, oneWord('USER', text))
  },
  volume: (config, text) => {
    const paths = (parseJsonArray(text) ?? splitWords(text)).map((path) => expand(config, path))
    if (paths.length === 0) throw requires('VOLUME', 'at least one argument')
    if (paths.some((path) => path.trim() === '')) {
      throw invalid('VOLUME specified can not be an empty string')
    }
    config.Volumes = { ...config.Volumes, ...toSet(paths) }
  },
  workdir: (config, text) => {
    const path = expand(config, oneWord('WORKDIR', text))
    config.WorkingDir = resolvePath(config.WorkingDir ?? '', path)
  },
}

type Draft = ImageExecConfig & { isCmdSet: boolean }

/** Applies instructions such as `ENV A=b` or `CMD ["sh"]` to a config. Throws INVALID_ARGUMENT with Docker's text. */
export function applyChanges(config: ImageExecConfig, changes: readonly string[]): ImageExecConfig {
  const draft: Draft = { ...config, isCmdSet: false }
  for (const line of changes.flatMap(toLines)) {
    const [, name = '', text = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? []
    const apply = Object.hasOwn(INSTRUCTIONS, name.toLowerCase())
      ? INSTRUCTIONS[name.toLowerCase()]
      : undefined
    if (apply === undefined) throw invalid(`${name} is not a valid change command`)
    apply(draft, text)
  }
  const { isCmdSet: _, ...result } = draft
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined))
}

/** Logical lines: a backslash at the end goes on, a `#` line is a comment. */
function toLines(text: string): string[] {
  return text
    .replace(/\\[ \t]*\r?\n/g, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** JSON form as it is, shell form through the shell. No arguments: none at all. */
function commandLine(config: ImageExecConfig, text: string): string[] | undefined {
  const words = parseJsonArray(text)
  if (words !== undefined) return words.length === 0 ? undefined : words
  if (text === '') return undefined
  return [...(config.Shell ?? ['/bin/sh', '-c']), text]
}

function parseJsonArray(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string')
    return isList ? value : undefined
  } catch {
    // Docker takes broken JSON as shell form.
    return undefined
  }
}

function keyValues(config: ImageExecConfig, name: string, text: string): [string, string][] {
  const words = splitWords(text, { keepQuotes: true })
  const [first] = words
  if (first === undefined) throw requires(name, 'at least one argument')
  if (!first.includes('=')) {
    // The old form: `ENV key the rest of the line`.
    const rest = text.slice(first.length).trim()
    if (rest === '') throw invalid(`${name} must have two arguments`)
    return [[expand(config, first), expand(config, rest)]]
  }
  return words.map((word) => {
    if (!word.includes('=')) {
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      )
    }
    const [key, value] = splitAt(word, '=')
    const name_ = expand(config, key)
    if (name_ === '') throw invalid(`${name} names can not be blank`)
    return [name_, expand(config, value)]
  })
}

const HEALTHCHECK_FLAGS: Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'> =
  {
    interval: 'Interval',
    timeout: 'Timeout',
    'start-period': 'StartPeriod',
    'start-interval': 'StartInterval',
  }

function parseHealthcheck(
  config: ImageExecConfig,
  text: string,
): NonNullable<ImageExecConfig['Healthcheck']> {
  const check: NonNullable<ImageExecConfig['Healthcheck']> = {}
  let rest = text
  for (;;) {
    const flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest)
    if (flag === null) break
    rest = rest.slice(flag[0].length)
    const [, name = '', value = ''] = flag
    const field = HEALTHCHECK_FLAGS[name]
    if (field !== undefined) check[field] = durationNs(value)
    else if (name === 'retries') check.Retries = retries(value)
    else throw invalid(`unknown flag: ${name}`)
  }
  const [, type = '', command = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? []
  if (type.toUpperCase() === 'NONE') {
    if (command !== '') throw invalid('HEALTHCHECK NONE takes no arguments')
    return { Test: ['NONE'] }
  }
  if (type.toUpperCase() !== 'CMD') {
    if (type === '') throw requires('HEALTHCHECK', 'at least one argument')
    throw invalid(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`)
  }
  if (command === '') throw invalid('Missing command after HEALTHCHECK CMD')
  const words = parseJsonArray(command)
  check.Test = words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words]
  return check
}

/** A Go duration of at least 1 ms. */
function durationNs(text: string): number {
  const units: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+$/.test(text)) {
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`)
  }
  let ns = 0
  for (const [, amount, unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)) {
    ns += Number(amount) * (units[unit] ?? 0)
  }
  if (ns !== 0 && ns < 1e6) throw invalid(`Interval cannot be less than 1ms`)
  return Math.round(ns)
}

function retries(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw invalid(`--retries must be at least 1 (not ${text})`)
  return Number(text)
}

function oneWord(name: string, text: string): string {
  if (text === '') throw requires(name, 'exactly one argument')
  return text
}

function expand(config: ImageExecConfig, text: string): string {
  return expandWord(text, new Map((config.Env ?? []).map((item) => splitAt(item, '='))))
}

function resolvePath(base: string, path: string): string {
  const names: string[] = []
  const whole = path.startsWith('/') ? path : `${base}/${path}`
  for (const name of whole.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..') names.pop()
    else names.push(name)
  }
  return `/${names.join('/')}`
}

function splitAt(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator)
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}

function toSet(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]))
}

function requires(name: string, what: string): EngineError {
  return invalid(`${name} requires ${what}`)
}
