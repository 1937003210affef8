import { booleanFilter, type Filters, type HostConfig } from '@ctr/api'
import { EngineError, invalid } from '@ctr/errdefs'
import { containerProfile } from '../apparmor/default-profile.ts'
import type { Engine } from '../engine.ts'
import { matchesAny } from '../go-regexp.ts'
import { visibleLabels } from '../selinux/container-labels.ts'
import { configuredNames } from './configured-networks.ts'
import type { Container, ContainerRecord } from './container.ts'
import { linkNames, shownLinks } from './links.ts'
import { portFilter } from './port-filter.ts'
import { type ContainerStatus, isCheckpointed, isRunningForUser } from './state.ts'

type Deps = Pick<
  Engine,
  'config' | 'containers' | 'execs' | 'health' | 'host' | 'images' | 'networks'
>

/** By id, name or unique id prefix. NOT_FOUND, INVALID_ARGUMENT (ambiguous). Waits for nobody. */
export function getContainer(engine: Deps, reference: string): Container {
  return view(engine, engine.containers.get(reference))
}

export interface ListOptions {
  /** Those that do not run, too. */
  readonly all: boolean
  /** The newest n; 0: no limit. Implies `all`. */
  readonly limit: number
  readonly filters: Filters
}

export const CONTAINER_FILTERS = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
] as const

/** A container in a list. What has not changed since the last list is the same value again. */
export interface Listed extends Pick<Container, 'endpoints' | 'linkedAs' | 'health'> {
  readonly record: ContainerRecord
  /** It has ended, which the database does not take (a full disk). */
  readonly isEndUnrecorded: boolean
}

const NO_NAMES: readonly string[] = []

/** Newest first. INVALID_ARGUMENT for a filter with an impossible value. */
export function listContainers(
  engine: Deps & Pick<Engine, 'waiters'>,
  options: ListOptions,
): Listed[] {
  const { filters, limit } = options
  const isWanted = compileFilters(engine, filters)
  // A filter by state says itself which ones.
  const isAll = options.all || limit > 0 || filters.has('status') || filters.has('exited')
  const found = engine.containers
    .all()
    .reverse()
    .filter((container) => isAll || isRunningForUser(container.state))
    .filter(isWanted)
  const linkedAs = linkNames(engine)
  return (limit > 0 ? found.slice(0, limit) : found).map((record) => ({
    record,
    endpoints: engine.networks.endpointsOfContainer(record.id),
    linkedAs: linkedAs.get(record.id) ?? NO_NAMES,
    health: engine.health.of(record.id),
    isEndUnrecorded: engine.waiters.isEndUnrecorded(record.id),
  }))
}

export function view(engine: Deps, container: ContainerRecord): Container {
  return {
    ...container,
    hostConfig: withShownLinks(engine, container),
    linkedAs: linkNames(engine).get(container.id) ?? NO_NAMES,
    endpoints: engine.networks.endpointsOfContainer(container.id),
    execIds: engine.execs
      .ofContainer(container.id)
      .filter((exec) => exec.state.status !== 'exited')
      .map((exec) => exec.id),
    labels: visibleLabels(engine, container),
    appArmorProfile: containerProfile(engine, container),
    health: engine.health.of(container.id),
  }
}

function withShownLinks(engine: Deps, container: ContainerRecord): HostConfig {
  const { hostConfig } = container
  if (!hostConfig.Links?.length) return hostConfig
  const links = shownLinks(engine, container)
  const { Links: _, ...rest } = hostConfig
  return links.length === 0 ? rest : { ...rest, Links: links }
}

const STATUSES: readonly string[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
] satisfies ContainerStatus[]

/** Ours, beside Docker's: those that have exited by a checkpoint. */
const CHECKPOINTED = 'checkpointed'

const HEALTHS: readonly string[] = ['none', 'starting', 'healthy', 'unhealthy']

type Predicate = (container: ContainerRecord) => boolean

/** Values of one filter are alternatives, filters must all hold. */
function compileFilters(engine: Deps, filters: Filters): Predicate {
  const predicates = [...filters]
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => compileFilter(engine, filters, key, values))
  return (container) => predicates.every((predicate) => predicate(container))
}

function compileFilter(
  engine: Deps,
  filters: Filters,
  key: string,
  values: readonly string[],
): Predicate {
  switch (key) {
    case 'id':
      return (container) => values.some((value) => container.id.startsWith(value))
    case 'name': {
      const matches = matchesAny(values)
      return ({ name }) => matches(name) || matches(`/${name}`)
    }
    case 'label':
      return ({ config }) => values.every((value) => matchesLabel(config.Labels ?? {}, value))
    case 'status':
      for (const value of values) {
        if (!STATUSES.includes(value) && value !== CHECKPOINTED) throw invalidFilter(key, value)
      }
      return (container) =>
        values.includes(container.state.status) ||
        (values.includes(CHECKPOINTED) && isCheckpointed(container))
    case 'exited': {
      const codes = values.map((value) => {
        if (/^[-+]?\d+$/.test(value)) return Number(value)
        throw invalid(`strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`)
      })
      return ({ state }) =>
        !isRunningForUser(state) && state.startedAtNs !== 0n && codes.includes(state.exitCode)
    }
    case 'ancestor': {
      const ids = new Set(values.flatMap((value) => engine.images.find(value)?.id ?? []))
      return ({ imageId, imageReference }) => ids.has(imageId) || values.includes(imageReference)
    }
    case 'before':
    case 'since': {
      const bounds = values.map((value) => engine.containers.get(value).createdAtNs)
      return ({ createdAtNs }) =>
        bounds.some((bound) => (key === 'before' ? createdAtNs < bound : createdAtNs > bound))
    }
    case 'volume':
      return ({ mounts }) =>
        mounts.some((mount) =>
          [mount.name, mount.source, mount.destination].some(
            (text) => text !== undefined && text !== '' && values.includes(text),
          ),
        )
    case 'network':
      return (container) => isOnNetwork(engine, container, values)
    case 'publish':
    case 'expose':
      return portFilter(engine, key, values)
    case 'health':
      for (const value of values) {
        if (HEALTHS.includes(value)) continue
        throw new EngineError('INVALID_ARGUMENT', `Unrecognised filter value for health: ${value}`)
      }
      return ({ id }) => values.includes(engine.health.of(id)?.status ?? 'none')
    case 'is-task':
      return () => booleanFilter(filters, key) !== true
    case 'isolation':
      // Of Windows; elsewhere dockerd takes it and looks at nothing.
      return () => true
    default:
      throw new EngineError('INVALID_ARGUMENT', `invalid filter '${key}'`)
  }
}

/** `key` or `key=value`. */
export function matchesLabel(labels: Readonly<Record<string, string>>, filter: string): boolean {
  const equals = filter.indexOf('=')
  if (equals === -1) return Object.hasOwn(labels, filter)
  const key = filter.slice(0, equals)
  return Object.hasOwn(labels, key) && labels[key] === filter.slice(equals + 1)
}

function isOnNetwork(engine: Deps, container: ContainerRecord, values: readonly string[]): boolean {
  const names = configuredNames(container)
  const wanted = new Set(values.flatMap((value) => engine.networks.find(value)?.id ?? []))
  if (names.some((name) => values.includes(name))) return true
  return engine.networks
    .endpointsOfContainer(container.id)
    .some((endpoint) => wanted.has(endpoint.networkId))
}

function invalidFilter(key: string, value: string): EngineError {
  return invalid(`invalid filter '${key}=${value}'`)
}
