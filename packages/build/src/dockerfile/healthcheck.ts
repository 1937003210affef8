import { invalid } from '@ctr/errdefs'
import type { ImageHealthcheck } from '@ctr/oci'
import { jsonWords } from './arguments.ts'

const MS = 1e6

/** Of HEALTHCHECK, with flags taken off: `NONE` or `CMD …`. */
export function parseHealthcheck(
  flags: Readonly<Record<string, string>>,
  text: string,
): ImageHealthcheck {
  const [, type = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(text) ?? []
  if (type === '') throw invalid('HEALTHCHECK requires at least one argument')
  switch (type.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw invalid('HEALTHCHECK NONE takes no arguments')
      return { Test: ['NONE'] }
    case 'CMD':
      return { Test: testOf(command), ...timesOf(flags) }
    default:
      throw invalid(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`)
  }
}

function testOf(command: string): string[] {
  const words = jsonWords(command)
  if (command === '' || words?.length === 0) throw invalid('Missing command after HEALTHCHECK CMD')
  return words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words]
}

function timesOf(flags: Readonly<Record<string, string>>): ImageHealthcheck {
  const retries = flags['retries'] ?? ''
  if (retries !== '' && !/^[+-]?[0-9]{1,9}$/.test(retries)) {
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(retries)}: invalid syntax`)
  }
  if (retries !== '' && Number(retries) < 1) {
    throw invalid(`--retries must be at least 1 (not ${Number(retries)})`)
  }
  const times = {
    Interval: durationNs(flags, 'interval'),
    Timeout: durationNs(flags, 'timeout'),
    StartPeriod: durationNs(flags, 'start-period'),
    ...(retries === '' ? {} : { Retries: Number(retries) }),
  }
  return Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined))
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: MS,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** A Go duration of 1 ms or more; undefined: none, or 0. */
function durationNs(flags: Readonly<Record<string, string>>, name: string): number | undefined {
  const text = flags[name] ?? ''
  if (text === '' || text === '0') return undefined
  if (/^[0-9.]+$/.test(text))
    throw invalid(`time: missing unit in duration ${JSON.stringify(text)}`)
  if (!/^-?(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`)
  }
  let ns = 0
  for (const [, amount, unit = ''] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/g)) {
    ns += Number(amount) * (UNITS[unit] ?? 0)
  }
  if (ns === 0) return undefined
  if (ns < MS || text.startsWith('-'))
    throw invalid(`Interval ${JSON.stringify(name)} cannot be less than 1ms`)
  return Math.round(ns)
}
