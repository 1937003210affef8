import type { HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { type ExposedPort, exposedPorts } from './exposed-ports.ts'
import { isDefaultBridge } from './modes.ts'
import { isRunningForUser } from './state.ts'

type Deps = Pick<Engine, 'containers' | 'networks'>

/**
 * `--link` on the default bridge, where nobody has a name: lines of /etc/hosts and environment variables of other containers.
 * HostConfig.Links holds `<id>:<alias>`, so that a link follows a rename and ends with its container. On user-defined networks
 * links are aliases for the resolver, in the endpoint's settings.
 */
interface Link {
  readonly target: ContainerRecord
  readonly alias: string
}

/** For HostConfig.Links of a new container: the names that the user gave, as ids. INVALID_ARGUMENT. */
export function resolveLinks(engine: Pick<Engine, 'containers'>, hostConfig: HostConfig): string[] {
  if (!isDefaultBridge(hostConfig)) return [...(hostConfig.Links ?? [])]
  return (hostConfig.Links ?? []).map((text) => {
    const { name, alias } = parseLink(text)
    const target = linkTarget(engine, name)
    // It has no address of its own.
    if (target.hostConfig.NetworkMode === 'host') {
      throw new EngineError('INVALID_ARGUMENT', HOST_LINK)
    }
    return `${target.id}:${alias}`
  })
}

const HOST_LINK =
  "conflicting options: host type networking can't be used with links. This would result in undefined behavior"

function linkTarget(engine: Pick<Engine, 'containers'>, name: string): ContainerRecord {
  try {
    return engine.containers.get(name)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    const message = `could not get container for ${name}: ${reason}`
    throw new EngineError('INVALID_ARGUMENT', message, { cause })
  }
}

/** `name`, `name:alias`, and as inspect shows it `/name:/own/alias`. */
function parseLink(text: string): { name: string; alias: string } {
  const [name = '', given = name, ...rest] = text.split(':')
  if (name === '' || given === '' || rest.length > 0) {
    throw new EngineError('INVALID_ARGUMENT', `bad format for links: ${text}`)
  }
  const isShown = name.startsWith('/')
  return { name: isShown ? name.slice(1) : name, alias: given.split('/').at(-1) ?? given }
}

/** The last one with an alias counts. */
function linksOf(engine: Pick<Engine, 'containers'>, { hostConfig }: ContainerRecord): Link[] {
  if ((hostConfig.Links ?? []).length === 0 || !isDefaultBridge(hostConfig)) return []
  const links = new Map<string, Link>()
  for (const text of hostConfig.Links ?? []) {
    const { name, alias } = parseLink(text)
    const target = engine.containers.byId(name)
    if (target !== undefined) links.set(alias, { target, alias })
  }
  return [...links.values()]
}

/** At a start. CONFLICT: what is linked to does not run, or has no address that this container could reach. */
export function assertLinksRun(engine: Deps, container: ContainerRecord): void {
  for (const { target, alias } of linksOf(engine, container)) {
    if (!isRunningForUser(target.state)) {
      throw new EngineError(
        'CONFLICT',
        `Cannot link to a non running container: /${target.name} AS /${container.name}/${alias}`,
      )
    }
    if (addressesOnBridge(engine, target).length === 0) {
      throw new EngineError(
        'CONFLICT',
        `Cannot link to /${target.name}, as it does not belong to the default network`,
      )
    }
  }
}

/** For /etc/hosts: `alias hostname name`. */
export function linkHosts(
  engine: Deps,
  container: ContainerRecord,
): { address: string; names: string }[] {
  return linksOf(engine, container).flatMap(({ target, alias }) => {
    const names = [
      alias,
      target.config.Hostname ?? '',
      ...(alias === target.name ? [] : [target.name]),
    ]
    return addressesOnBridge(engine, target).map((address) => ({ address, names: names.join(' ') }))
  })
}

/** Containers that run and are linked to this one, by each alias, with its addresses. */
export function runningParents(
  engine: Deps,
  { id }: Pick<ContainerRecord, 'id'>,
): { parent: ContainerRecord; alias: string; addresses: string[] }[] {
  return engine.containers
    .all()
    .filter(({ state, hostConfig }) => isRunningForUser(state) && hostConfig.Links?.length)
    .flatMap((parent) =>
      linksOf(engine, parent)
        .filter(({ target }) => target.id === id)
        .map(({ target, alias }) => ({
          parent,
          alias,
          addresses: addressesOnBridge(engine, target),
        })),
    )
}

/** DB_PORT_5432_TCP_ADDR and its like. moby daemon/links/links.go ToEnv */
export function linkEnvironment(engine: Deps, container: ContainerRecord): string[] {
  return linksOf(engine, container).flatMap(({ target, alias }) => {
    const [address] = addressesOnBridge(engine, target)
    if (address === undefined) return []
    const prefix = alias.toUpperCase().replaceAll('-', '_')
    const ports = sortedPorts(target)
    const inherited = (target.config.Env ?? []).filter((text) =>
      /^(?!HOME=|PATH=)[^=]+=/.test(text),
    )
    return [
      ...ports.slice(0, 1).map((port) => `${prefix}_PORT=${urlOf(port, address)}`),
      ...ports.flatMap((port) => portVariables(prefix, port, address)),
      ...rangesOf(ports).flatMap((range) => rangeVariables(prefix, range, address)),
      `${prefix}_NAME=/${container.name}/${alias}`,
      ...inherited.map((text) => `${prefix}_ENV_${text}`),
    ]
  })
}

/** By number, TCP first. */
function sortedPorts({ config }: ContainerRecord): ExposedPort[] {
  return exposedPorts(config).sort((a, b) => a.port - b.port || (a.protocol === 'tcp' ? -1 : 1))
}

function portVariables(prefix: string, { port, protocol }: ExposedPort, address: string): string[] {
  const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
  return [
    `${name}=${urlOf({ port, protocol }, address)}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT=${port}`,
    `${name}_PROTO=${protocol}`,
  ]
}

interface PortRange {
  readonly first: ExposedPort
  last: ExposedPort
}

/** Of at least two ports that follow each other. */
function rangesOf(ports: readonly ExposedPort[]): PortRange[] {
  const ranges: PortRange[] = []
  for (const protocol of new Set(ports.map((port) => port.protocol))) {
    for (const port of ports.filter((candidate) => candidate.protocol === protocol)) {
      const range = ranges.at(-1)
      if (range?.last.protocol === protocol && range.last.port + 1 === port.port) range.last = port
      else ranges.push({ first: port, last: port })
    }
  }
  return ranges.filter(({ first, last }) => first !== last)
}

function rangeVariables(prefix: string, { first, last }: PortRange, address: string): string[] {
  const name = `${prefix}_PORT_${first.port}_${first.protocol.toUpperCase()}`
  return [
    `${name}_START=${urlOf(first, address)}`,
    `${name}_PORT_START=${first.port}`,
    `${name}_END=${urlOf(last, address)}`,
    `${name}_PORT_END=${last.port}`,
  ]
}

function urlOf({ port, protocol }: ExposedPort, address: string): string {
  return `${protocol}://${address.includes(':') ? `[${address}]` : address}:${port}`
}

function addressesOnBridge(engine: Deps, { id }: ContainerRecord): string[] {
  return engine.networks
    .endpointsOfContainer(id)
    .filter(({ networkName }) => networkName === 'bridge')
    .flatMap(({ ipv4, ipv6 }) => [ipv4?.address, ipv6?.address])
    .filter((address) => address !== undefined)
}

/** As inspect shows them: `/target:/own/alias`. */
export function shownLinks(
  engine: Pick<Engine, 'containers'>,
  container: ContainerRecord,
): string[] {
  if (!isDefaultBridge(container.hostConfig)) return [...(container.hostConfig.Links ?? [])]
  return linksOf(engine, container).map(
    ({ target, alias }) => `/${target.name}:/${container.name}/${alias}`,
  )
}

/** Names that containers have by links, by id: `other/alias`. */
export function linkNames(engine: Pick<Engine, 'containers'>): Map<string, string[]> {
  const names = new Map<string, string[]>()
  for (const container of engine.containers.linking()) {
    for (const { target, alias } of linksOf(engine, container)) {
      names.set(target.id, [...(names.get(target.id) ?? []), `${container.name}/${alias}`])
    }
  }
  return names
}

/** `rm --link own/alias`. NOT_FOUND, INVALID_ARGUMENT (the name of a container itself). */
export function removeLink(engine: Engine, name: string): void {
  const [owner = '', alias] = name.replace(/^\//, '').split('/')
  const container = engine.containers.get(owner)
  if (alias === undefined) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'Conflict, cannot remove the default link name of the container',
    )
  }
  const links = container.hostConfig.Links ?? []
  const kept = links.filter((text) => parseLink(text).alias !== alias)
  if (kept.length === links.length) {
    throw new EngineError('NOT_FOUND', `No such container: ${name.replace(/^\//, '')}`)
  }
  const { Links: _, ...others } = container.hostConfig
  // Without any it is as one that never had any.
  const hostConfig = kept.length === 0 ? others : { ...others, Links: kept }
  engine.events.commit('durable', () => {
    engine.containers.changeDocuments(container.id, { hostConfig })
  })
}
