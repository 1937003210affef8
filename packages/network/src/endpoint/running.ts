import { EngineError } from '@ctr/errdefs'
import { type Op, type Protocol, protocolNumber, ShimError } from '@ctr/shim'
import { type EndpointRow, volatileTransaction } from '@ctr/store'
import { deleteLinks } from '../bridge/link.ts'
import type { Publication } from '../firewall/render.ts'
import { lanLinkError } from '../lan/link-error.ts'
import { isLan } from '../lan/options.ts'
import { areAlike, portModes } from '../network/gateway-mode.ts'
import { type ConnectOptions, withHostIp } from './allocate.ts'
import { planReserved, reserveEndpoint } from './connect.ts'
import { type Endpoint, publicationsOf, toEndpoint } from './endpoint.ts'
import { gatewayEndpoint } from './gateway.ts'
import type { EndpointParts } from './parts.ts'
import {
  enterNetwork,
  type ForwardChanges,
  gatewayOps,
  leaveOps,
  type ResolverAt,
  resolverOps,
  type Target,
} from './plan.ts'
import { allocatePorts, forwardError, type PortBinding, type PublishedPort } from './ports.ts'
import { forgetEndpoints } from './release.ts'
import { resolverOn } from './resolver-at.ts'

/**
 * Changes of the networks of a container that runs. A row that is being made or taken away `isChanging` from before the first
 * step until after the last, and every step can be done twice: whatever a crash interrupts, `leaveNetwork` takes the container
 * off that network. Ports follow the default route, as in Docker: the shim's listeners first, which hold them, then the firewall.
 */

/** Writes down the end of a change; the caller may have more to write in the same transaction. */
export type Record = (write: () => void) => void

export interface LeaveOptions {
  readonly record?: Record | undefined
  /** What the container publishes, if the network that it publishes on next is reached in another way. */
  readonly ports?: readonly PortBinding[] | undefined
}

/** The container is connected, its network namespace has changed, and its ports lead there, when this returns. */
export async function connectRunning(
  parts: EndpointParts,
  o: ConnectOptions,
  target: Target,
  record: Record = volatileRecord(parts),
): Promise<Endpoint> {
  const before = publishedBy(parts, parts.endpoints.ofContainer(o.containerId))
  const { row, options } = reserveEndpoint(parts, o, { isRunning: true })
  try {
    const plan = await planReserved(parts, row, { options, isRunning: true })
    if (plan.link !== undefined) {
      await openInside(parts, target, resolverOn(parts, row, { isMoved: true }))
      const program = [...enterNetwork(target), ...plan.hostOps, ...plan.childOps]
      await parts.options.exec(program).catch((error: unknown) => {
        if (!(error instanceof ShimError)) throw error
        throw lanLinkError([plan], error.operation, error.code) ?? error
      })
    }
    if (row.isGateway && row.ports.length + before.length > 0) {
      const closed = before.filter((port) => !plan.publications.some((one) => isSame(one, port)))
      await setForwards(row, target, { opened: plan.publications, closed })
      await parts.firewall?.replace({ from: before, to: plan.publications }, () => undefined)
    }
    record(() => parts.endpoints.setChanging(row.id, false))
    await serveInside(parts, o.containerId, target.pid)
    return plan
  } catch (error) {
    const { log } = parts.options
    await leaveNetwork(parts, row, target, { ports: o.ports }).catch((err: unknown) => {
      log.warn({ containerId: o.containerId, err }, 'take back a network')
    })
    throw error
  }
}

/** Takes one network away from a running container; another of its networks becomes the way out and publishes its ports. */
export async function disconnectRunning(
  parts: EndpointParts,
  containerId: string,
  networkRef: string,
  target: Target,
  o: LeaveOptions = {},
): Promise<void> {
  const network = parts.registry.get(networkRef)
  const row = parts.endpoints.ofContainer(containerId).find((one) => one.networkId === network.id)
  if (row === undefined) {
    throw new EngineError(
      'FORBIDDEN',
      `container ${containerId} is not connected to network ${network.name}`,
    )
  }
  volatileTransaction(parts.options.store, () => parts.endpoints.setChanging(row.id, true))
  await leaveNetwork(parts, row, target, o)
}

/** What a daemon that was killed has left half done. */
export async function finishChanges(
  parts: EndpointParts,
  containerId: string,
  target: Target,
  o: LeaveOptions = {},
): Promise<void> {
  const rows = parts.endpoints.ofContainer(containerId).filter(({ isChanging }) => isChanging)
  for (const row of rows) {
    await leaveNetwork(parts, row, target, o)
    const { name } = parts.registry.get(row.networkId)
    parts.options.log.info(
      { containerId, network: name },
      'network change of a killed daemon ended',
    )
  }
}

/** Every step may have been done before, and the container may have ended: then there is nothing to change in it. */
async function leaveNetwork(
  parts: EndpointParts,
  row: EndpointRow,
  target: Target,
  { record = volatileRecord(parts), ports = [] }: LeaveOptions,
): Promise<void> {
  const others = parts.endpoints.ofContainer(row.containerId).filter(({ id }) => id !== row.id)
  const heir = gatewayEndpoint(others, (id) => parts.registry.get(id))
  const moved = heir === undefined || !row.isGateway ? [] : portsOn(parts, { row, heir, ports })
  const inherited = heir === undefined ? [] : publishedBy(parts, [{ ...heir, ports: moved }])
  if (row.ports.length + moved.length > 0) {
    const closed = row.ports.filter((port) => !inherited.some((one) => isSame(one, port)))
    await setForwards(heir ?? row, target, { opened: inherited, closed })
  }
  const network = parts.registry.get(row.networkId)
  if (row.link !== undefined && !isLan(network)) await deleteLinks(parts.options.exec, [row.link])
  const ops = [...leaveOps(row, network), ...opsAfter(parts, { row, others, heir })]
  const next = others.map((other) => resolverOn(parts, other, afterLeaving(row, heir)))
  await openInside(
    parts,
    target,
    next.find((at) => at !== undefined && 'port' in at),
  )
  if (ops.length > 0) await whileItLives(parts.options.exec([...enterNetwork(target), ...ops]))
  const write = (): void =>
    record(() => {
      if (heir !== undefined) {
        if (row.isGateway) parts.endpoints.setGateway(heir.id, true)
        if (moved === row.ports && moved.length > 0) parts.endpoints.movePorts(row.id, heir.id)
        else if (row.isGateway) {
          parts.endpoints.setPorts(row.id, [])
          parts.endpoints.setPorts(heir.id, moved)
        }
      }
      forgetEndpoints(parts, [row])
    })
  if (parts.firewall === undefined) write()
  else {
    const from = publishedBy(parts, [row])
    await parts.firewall.replace({ from, to: inherited }, write)
  }
  await serveInside(parts, row.containerId, target.pid)
}

/** Sockets in the container, if that is where it is answered. An older shim holds none: then it is not. */
async function openInside(
  { options }: EndpointParts,
  target: Target,
  at: ResolverAt | undefined,
): Promise<void> {
  if (at === undefined || !('port' in at)) return
  await target.openResolver(at.port).catch((err: unknown) => {
    options.log.warn({ pid: target.pid, err }, 'cannot resolve names for a container')
  })
}

/** Of a container that runs. */
export async function serveInside(
  { resolver }: Pick<EndpointParts, 'resolver'>,
  containerId: string,
  pid: number,
): Promise<void> {
  if (resolver.asksInside(containerId)) await resolver.serveInside(containerId, pid)
}

function afterLeaving(row: EndpointRow, heir: EndpointRow | undefined) {
  return { isMoved: true, change: { left: row.networkId, gateway: heir?.networkId } }
}

/** What the heir publishes: the same, if it does so in the same way. */
function portsOn(
  { registry, ports: facts, options }: EndpointParts,
  { row, heir, ports }: { row: EndpointRow; heir: EndpointRow; ports: readonly PortBinding[] },
): readonly PublishedPort[] {
  const network = registry.get(heir.networkId)
  if (areAlike(registry.get(row.networkId), network)) return row.ports
  const isOwn = (protocol: Protocol, hostIp: string, hostPort: number): boolean =>
    row.ports.some((port) => isSame(port, { protocol, hostIp, hostPort, containerPort: 0 }))
  try {
    return allocatePorts(
      withHostIp(ports, network),
      { ...facts, isTaken: (...port) => !isOwn(...port) && facts.isTaken(...port) },
      { name: heir.containerName, id: heir.id },
      portModes(network),
    )
  } catch (err) {
    // The container leaves a network all the same.
    if (!(err instanceof EngineError)) throw err
    options.log.warn({ containerId: heir.containerId, err }, 'a container publishes nothing now')
    return []
  }
}

function publishedBy({ registry }: EndpointParts, rows: readonly EndpointRow[]): Publication[] {
  return rows.flatMap((row) => publicationsOf(row, registry.get(row.networkId)))
}

interface Leaving {
  readonly row: EndpointRow
  readonly others: readonly EndpointRow[]
  readonly heir: EndpointRow | undefined
}

/** In the network namespace of a container that leaves a network: its way out, and its resolver. */
function opsAfter(parts: EndpointParts, { row, others, heir }: Leaving): Op[] {
  const gateway =
    heir !== undefined && row.isGateway
      ? gatewayOps(endpointOf(parts, heir), parts.registry.get(heir.networkId))
      : []
  if (resolverOn(parts, row, { isMoved: true }) === undefined) return gateway
  const resolver = others.flatMap((other) => {
    const at = resolverOn(parts, other, afterLeaving(row, heir))
    return at === undefined ? [] : resolverOps(endpointOf(parts, other), at)
  })
  return [...gateway, ...resolver]
}

async function whileItLives(change: Promise<void>): Promise<void> {
  try {
    await change
  } catch (error) {
    if (!(error instanceof ShimError) || error.op !== 'join') throw error
  }
}

function endpointOf({ registry }: EndpointParts, row: EndpointRow): Endpoint {
  return toEndpoint(row, registry.get(row.networkId))
}

async function setForwards(
  row: EndpointRow,
  target: Target,
  changes: ForwardChanges,
): Promise<void> {
  const isHeld = ({ hostPort }: PublishedPort): boolean => hostPort !== 0
  const [opened, closed] = [changes.opened.filter(isHeld), changes.closed.filter(isHeld)]
  if (opened.length + closed.length === 0) return
  const refused = await target.setForwards({ opened, closed })
  if (refused === undefined) return
  const { port, errno } = refused
  const forward = {
    protocol: protocolNumber(port.protocol),
    address: port.hostIp,
    port: port.hostPort,
  }
  throw forwardError({ name: row.containerName, id: row.id }, forward, errno)
}

function isSame(a: PublishedPort, b: PublishedPort): boolean {
  return a.protocol === b.protocol && a.hostIp === b.hostIp && a.hostPort === b.hostPort
}

function volatileRecord({ options }: EndpointParts): Record {
  return (write) => volatileTransaction(options.store, write)
}
