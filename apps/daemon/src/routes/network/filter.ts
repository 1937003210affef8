import { booleanFilter, type Filters } from '@ctr/api'
import { matchesAny } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { Network } from '@ctr/network'
import { nowNs, parseTime } from '../../time.ts'

export const NETWORK_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']

const PREDEFINED = ['bridge', 'host', 'none']

/** moby daemon/network/filter.go: names and ids are patterns that match anywhere. */
export function matchesNetwork(
  network: Network,
  filters: Filters,
  isUsed: (id: string) => boolean,
): boolean {
  const any = (key: string, test: (value: string) => boolean): boolean => {
    const values = filters.get(key)
    return values === undefined || values.length === 0 || values.some(test)
  }
  const matches = (key: string, text: string): boolean => {
    const values = filters.get(key) ?? []
    return values.length === 0 || matchesAny(values)(text)
  }
  const isPredefined = PREDEFINED.includes(network.name)
  const dangling = booleanFilter(filters, 'dangling')
  return (
    any('driver', (value) => network.driver === value) &&
    matches('name', network.name) &&
    matches('id', network.id) &&
    any('scope', (value) => value === 'local') &&
    any('type', (value) => isType(value, isPredefined)) &&
    (filters.get('label') ?? []).every((label) => hasLabel(network.labels, label)) &&
    (dangling === undefined || dangling === (!isPredefined && !isUsed(network.id)))
  )
}

function isType(value: string, isPredefined: boolean): boolean {
  if (value === 'builtin') return isPredefined
  if (value === 'custom') return !isPredefined
  throw new EngineError('INVALID_ARGUMENT', `invalid filter: 'type'='${value}'`)
}

/** For prune: `label`, `label!` and `until`. */
export function isPrunable(network: Network, filters: Filters): boolean {
  const until = filters.get('until')?.[0]
  return (
    (filters.get('label') ?? []).every((label) => hasLabel(network.labels, label)) &&
    !(filters.get('label!') ?? []).some((label) => hasLabel(network.labels, label)) &&
    (until === undefined || network.createdAtNs < untilTime(until))
  )
}

/** Also when there is no network to compare with. INVALID_ARGUMENT. */
export function validateUntil(filters: Filters): void {
  const values = filters.get('until') ?? []
  if (values.length > 1) {
    throw new EngineError('INVALID_ARGUMENT', 'more than one until filter specified')
  }
  for (const value of values) untilTime(value)
}

function untilTime(text: string): bigint {
  const time = parseTime(text, nowNs())
  if (time !== undefined) return time
  throw new EngineError(
    'INVALID_ARGUMENT',
    `failed to parse value as time or duration: ${JSON.stringify(text)}`,
  )
}

/** `key` or `key=value`. */
function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=')
  if (at === -1) return Object.hasOwn(labels, wanted)
  const key = wanted.slice(0, at)
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1)
}
