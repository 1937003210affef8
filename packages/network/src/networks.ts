import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { interfaceIndex, isPortFree } from '@ctr/linux'
import type { Op } from '@ctr/shim'
import { type EndpointRow, EndpointTable, NameTable, volatileTransaction } from '@ctr/store'
import { Bridges } from './bridge/bridges.ts'
import { isUsableBridge } from './bridge/default.ts'
import { deleteLinks, hostSubnets, isLinkDown, portsOfBridge } from './bridge/link.ts'
import { Resolver } from './dns/resolver.ts'
import { allocateEndpoint, type ConnectOptions } from './endpoint/allocate.ts'
import { type Endpoint, publicationsOf, toEndpoint } from './endpoint/endpoint.ts'
import { assertReachable, parseLinkOptions } from './endpoint/link-options.ts'
import { nextGateway } from './endpoint/next-gateway.ts'
import {
  type EndpointPlan,
  enterNetwork,
  gatewayOps,
  planEndpoint,
  plugOps,
  RESOLVER_ADDRESS,
  type ResolverAt,
  resolverOps,
  type Target,
} from './endpoint/plan.ts'
import { firstEphemeral, type PortFacts } from './endpoint/ports.ts'
import { Firewall } from './firewall/firewall.ts'
import { Healing } from './firewall/healing.ts'
import { switchOn, warnOfDroppingChains } from './firewall/host.ts'
import { type CreateNetworkOptions, planNetwork } from './network/create.ts'
import { LowestFree } from './network/ipam.ts'
import { isBridged, isPredefined, type Network, poolsOf, rulesOf } from './network/network.ts'
import { NetworkRegistry } from './network/registry.ts'
import type { NetworksOptions } from './options.ts'

/** Far from those that the kernel counts up; a second one of two daemons is not a thing that happens. */
function freeIndex(): number {
  return randomInt(2 ** 30, 2 ** 31 - 1)
}

/** Opens the networks of a daemon: when it returns, bridges and firewall are as the database says. Running containers stay connected. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  await using stack = new AsyncDisposableStack()
  const networks = stack.use(new Networks(options))
  await networks.restore()
  stack.move()
  return networks
}

/**
 * Networks and endpoints. SQLite is the truth: a row is written before the thing that it stands for is made, and
 * deleted after that is gone, so whatever a crash leaves behind is found from the rows.
 */
export class Networks {
  readonly #options: NetworksOptions
  readonly #registry: NetworkRegistry
  readonly #bridges: Bridges
  readonly #endpoints: EndpointTable
  readonly #names: NameTable
  readonly #ports: PortFacts
  readonly #lowestFree = new LowestFree()
  /** False with `--bridge none`: no bridge networks, no firewall. */
  readonly #hasBridges: boolean
  readonly #firewall: Firewall | undefined
  readonly #resolver: Resolver
  readonly #healing: Healing | undefined

  constructor(options: NetworksOptions) {
    if (!/^[A-Za-z0-9-]{1,32}$/.test(options.instance)) {
      throw new EngineError('INVALID_ARGUMENT', `invalid instance "${options.instance}"`)
    }
    this.#options = options
    const hasBridges = options.bridge.kind !== 'none'
    this.#hasBridges = hasBridges
    this.#registry = new NetworkRegistry(options.store, { hasBridges, createdAtNs: nowNs() })
    this.#bridges = new Bridges(options, this.#registry)
    this.#endpoints = new EndpointTable(options.store)
    this.#names = new NameTable(options.store)
    this.#ports = {
      isTaken: (protocol, hostIp, port) => this.#endpoints.isPortTaken(protocol, hostIp, port),
      isFree: isPortFree,
      hasIpv6: existsSync('/proc/net/if_inet6'),
      nextEphemeral: firstEphemeral(options.instance),
    }
    this.#resolver = new Resolver({
      names: this.#names,
      networkById: (id) => this.#registry.byId(id),
      hostFile: '/etc/resolv.conf',
      log: options.log,
    })
    if (!hasBridges || !options.defaults.hasFirewall) return
    this.#firewall = new Firewall(`ctr-${options.instance}`, () => ({
      bridges: this.#bridges.all().map(rulesOf),
      publications: this.#endpoints.all().flatMap(publicationsOf),
      detours: this.#resolver.detours(),
    }))
    this.#healing = new Healing(this.#firewall, options.log)
  }

  /** What the network mode `default` means. */
  get defaultNetwork(): 'bridge' | 'none' {
    return this.#hasBridges ? 'bridge' : 'none'
  }

  /** The addresses that `host-gateway` stands for. */
  get hostGateways(): string[] {
    return (this.find('bridge')?.pools ?? []).map((pool) => pool.gateway)
  }

  list(): Network[] {
    return this.#registry.list()
  }

  /** By id, name or unique id prefix. */
  get(ref: string): Network {
    return this.#registry.get(ref)
  }

  find(ref: string): Network | undefined {
    return this.#registry.find(ref)
  }

  async create(o: CreateNetworkOptions): Promise<Network> {
    if (!this.#hasBridges) {
      throw new EngineError(
        'FORBIDDEN',
        'bridge networks are disabled: ctrd runs with --bridge none',
      )
    }
    const facts = {
      networks: this.list(),
      hostSubnets: hostSubnets(),
      defaults: this.#options.defaults,
      createdAtNs: nowNs(),
    }
    const planned = planNetwork(o, facts)
    const network = { ...planned, isForeign: isUsableBridge(planned.bridge) }
    this.#registry.insert(network)
    try {
      await this.#bridges.ensure(network)
      await this.#resolver.sync(this.#bridges.all())
      await this.#firewall?.apply()
    } catch (error) {
      await this.#destroy(network)
      throw error
    }
    return network
  }

  async remove(ref: string): Promise<Network> {
    const network = this.get(ref)
    if (isPredefined(network)) {
      throw new EngineError(
        'FORBIDDEN',
        `${network.name} is a pre-defined network and cannot be removed`,
      )
    }
    const active = this.#endpoints.ofNetwork(network.id)
    if (active.length > 0) {
      const names = active.map((row) => `name:"${row.containerName}" id:"${row.id.slice(0, 12)}"`)
      throw new EngineError(
        'FORBIDDEN',
        `error while removing network: network ${network.name} has active endpoints (${names.join(', ')})`,
      )
    }
    await this.#destroy(network)
    return network
  }

  /** Removes user-defined networks that have no container and are wanted gone; returns them. */
  async prune(isWanted: (network: Network) => boolean): Promise<Network[]> {
    const isUnused = (network: Network): boolean =>
      !isPredefined(network) && this.#endpoints.ofNetwork(network.id).length === 0
    const unused = this.list().filter((network) => isUnused(network) && isWanted(network))
    for (const network of unused) if (isUnused(network)) await this.#destroy(network)
    return unused
  }

  endpointsOfNetwork(ref: string): Endpoint[] {
    const network = this.get(ref)
    return this.#endpoints.ofNetwork(network.id).map((row) => toEndpoint(row, network))
  }

  endpointsOfContainer(containerId: string): Endpoint[] {
    return this.#endpoints
      .ofContainer(containerId)
      .map((row) => toEndpoint(row, this.get(row.networkId)))
  }

  /** Address at which a container finds its resolver; undefined: it has to ask the host's resolvers. */
  resolverOf(containerId: string): string | undefined {
    const gateway = this.#resolver.addressFor(containerId)
    return gateway === undefined || gateway.includes(':') ? gateway : RESOLVER_ADDRESS
  }

  /** The resolver of a container, if it is the gateway of this endpoint's network. */
  #resolverOn(row: EndpointRow, isMoved: boolean): ResolverAt | undefined {
    const gateway = this.#resolver.addressFor(row.containerId)
    const { pools } = this.get(row.networkId)
    if (gateway === undefined || gateway.includes(':')) return undefined
    return pools.some((pool) => pool.gateway === gateway) ? { gateway, isMoved } : undefined
  }

  renameContainer(containerId: string, name: string): void {
    this.#endpoints.renameContainer(containerId, name)
    this.#resolver.forget()
  }

  /** Allocates everything for a container that is about to start. Undone by `disconnect`. */
  async connect(o: ConnectOptions): Promise<EndpointPlan> {
    return await this.#connect(o, false)
  }

  async #connect(o: ConnectOptions, isRunning: boolean): Promise<EndpointPlan> {
    const network = this.get(o.network)
    const deps = {
      endpoints: this.#endpoints,
      ports: this.#ports,
      lowestFree: this.#lowestFree,
      nameOf: (id: string) => this.get(id).name,
    }
    const options = parseLinkOptions({ ...network.options, ...o.driverOptions })
    const pools = poolsOf(network)
    assertReachable(
      options,
      pools.map(({ subnet }) => subnet),
    )
    if (options.hostName !== undefined && interfaceIndex(options.hostName) !== undefined) {
      throw new EngineError('CONFLICT', `link ${options.hostName} exists`)
    }
    const asked = { ...o, linkName: options.hostName }
    const row = this.#allocate(() => allocateEndpoint(deps, network, asked))
    try {
      const bridgeIndex = await this.#bridges.indexOf(network)
      const plan = planEndpoint(row, network, bridgeIndex, {
        resolver: this.#resolverOn(row, isRunning),
        linkIndex: isRunning ? freeIndex() : undefined,
        options,
      })
      await this.#firewall?.publish(plan.publications)
      return plan
    } catch (error) {
      await this.#release([row])
      throw error
    }
  }

  /** As `connect`, for a container that runs: its network namespace has changed when this returns. */
  async connectRunning(o: ConnectOptions, target: Target): Promise<Endpoint> {
    const plan = await this.#connect(o, true)
    if (plan.link === undefined) return plan
    try {
      await this.#options.exec([...enterNetwork(target), ...plan.hostOps, ...plan.childOps])
      return plan
    } catch (error) {
      const rows = this.#endpoints.ofContainer(o.containerId)
      await this.#release(rows.filter((row) => row.id === plan.id))
      throw error
    }
  }

  /** Takes one network away from a running container; another of its networks becomes the way out. */
  async disconnectRunning(containerId: string, networkRef: string, target: Target): Promise<void> {
    const network = this.get(networkRef)
    const rows = this.#endpoints.ofContainer(containerId)
    const row = rows.find((candidate) => candidate.networkId === network.id)
    if (row === undefined) {
      throw new EngineError(
        'FORBIDDEN',
        `container ${containerId} is not connected to network ${network.name}`,
      )
    }
    if (row.link !== undefined) await deleteLinks(this.#options.exec, [row.link])
    const wasResolver = this.#resolverOn(row, true) !== undefined
    await this.#release([row])
    const others = rows.filter((other) => other !== row)
    const ops = wasResolver ? this.#resolverOps(others) : []
    const next = row.isGateway ? nextGateway(others, (id) => this.get(id)) : undefined
    if (next !== undefined) ops.push(...gatewayOps(toEndpoint(next, this.get(next.networkId))))
    if (ops.length > 0) await this.#options.exec([...enterNetwork(target), ...ops])
    if (next === undefined) return
    this.#endpoints.setGateway(next.id, true)
    this.#resolver.forget()
  }

  /** Gives back all that a container holds; its links go with its network namespace. Doing it again changes nothing. */
  async disconnect(containerId: string): Promise<void> {
    await this.#release(this.#endpoints.ofContainer(containerId))
  }

  /**
   * Within a transaction: `disconnect`, if the firewall has nothing to do with it. What is returned is for when the
   * transaction fails.
   */
  disconnectUnpublished(containerId: string): () => void {
    const rows = this.#endpoints.ofContainer(containerId)
    const isPublished = this.#firewall !== undefined && rows.some((row) => row.ports.length > 0)
    if (!isPublished) this.#forget(rows)
    return () => this.#lowestFree.forget()
  }

  /** Cuts a running container off from its networks, or connects it again: nobody answers for it meanwhile, not even with a reset. */
  async setPlugged(containerId: string, isPlugged: boolean): Promise<void> {
    const links = this.#endpoints.ofContainer(containerId).flatMap(({ link }) => link ?? [])
    if (links.length > 0)
      await this.#options.exec(links.flatMap((link) => plugOps(link, isPlugged)))
  }

  /** Removes what belongs to no live container: rows, firewall elements, links on our bridges. Plugs in the containers whose checkpoint was interrupted. */
  async reconcile(liveContainerIds: ReadonlySet<string>): Promise<void> {
    const dead = this.#endpoints.all().filter((row) => !liveContainerIds.has(row.containerId))
    await this.#release(dead)
    await this.#firewall?.apply()
    const owned = new Set(this.#endpoints.all().map((row) => row.link))
    const orphans = this.#bridges
      .all()
      .filter((network) => !network.isForeign)
      .flatMap((network) => portsOfBridge(network.bridge))
      .filter((link) => !owned.has(link))
    await deleteLinks(this.#options.exec, orphans)
    const down = [...owned].flatMap((link) => (link !== undefined && isLinkDown(link) ? link : []))
    if (down.length > 0) await this.#options.exec(down.flatMap((link) => plugOps(link, true)))
    if (dead.length === 0 && orphans.length === 0) return
    const containers = dead.map((row) => row.containerId)
    this.#options.log.info({ containers, links: orphans }, 'network leftovers removed')
  }

  /** Puts bridges, resolvers and firewall back as they should be, e.g. after `nft flush ruleset`. */
  async reload(): Promise<void> {
    for (const network of this.#bridges.all()) await this.#bridges.ensure(network)
    await this.#resolver.sync(this.#bridges.all())
    await this.#firewall?.apply()
  }

  /** Somebody has deleted something from the ruleset of nftables, perhaps ours. */
  rulesetLost(): void {
    this.#healing?.soon()
  }

  /** At the end of the daemon: bridges and firewall stay while a container is connected, else they go. */
  async close(): Promise<void> {
    this.#healing?.[Symbol.dispose]()
    const isUsed = this.#endpoints.all().some((row) => row.link !== undefined)
    if (!isUsed) {
      await this.#firewall?.removeTable()
      const own = this.#bridges.all().filter((network) => !network.isForeign)
      await deleteLinks(
        this.#options.exec,
        own.map((network) => network.bridge),
      )
    }
    await this[Symbol.asyncDispose]()
  }

  /** Lets go of the library only; everything on the host stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#healing?.[Symbol.dispose]()
    await this.#resolver[Symbol.asyncDispose]()
    await this.#firewall?.[Symbol.asyncDispose]()
  }

  /** Once, by `openNetworks`. */
  async restore(): Promise<void> {
    if (!this.#hasBridges) return
    await this.#bridges.restoreDefault(this.#endpoints)
    if (this.#options.defaults.setsForwarding) switchOn('/proc/sys/net/ipv4/ip_forward')
    await this.reload()
    if (this.#firewall === undefined) return
    await warnOfDroppingChains(this.#firewall, this.#options.log)
  }

  async #destroy(network: Network): Promise<void> {
    await this.#registry.delete(network, async () => {
      await this.#resolver.sync(this.#bridges.all())
      const links = isBridged(network) && !network.isForeign ? [network.bridge] : []
      await deleteLinks(this.#options.exec, links)
      await this.#firewall?.apply()
    })
  }

  /** What a rolled-back transaction had taken is free again. */
  #allocate(body: () => EndpointRow): EndpointRow {
    try {
      const row = volatileTransaction(this.#options.store, body)
      this.#resolver.forget()
      return row
    } catch (error) {
      this.#lowestFree.forget()
      throw error
    }
  }

  async #release(rows: readonly EndpointRow[]): Promise<void> {
    if (rows.length === 0) return
    const forget = (): void => volatileTransaction(this.#options.store, () => this.#forget(rows))
    if (this.#firewall === undefined) return forget()
    await this.#firewall.unpublish(rows.flatMap(publicationsOf), forget)
  }

  #forget(rows: readonly EndpointRow[]): void {
    for (const row of rows) {
      this.#endpoints.delete(row)
      this.#lowestFree.returned(row.networkId, 4, row.ipv4)
      this.#lowestFree.returned(row.networkId, 6, row.ipv6)
    }
    this.#resolver.forget()
  }

  /** For a container that runs, after one of its networks has gone. */
  #resolverOps(rows: readonly EndpointRow[]): Op[] {
    return rows.flatMap((row) => {
      const resolver = this.#resolverOn(row, true)
      if (resolver === undefined) return []
      return resolverOps(toEndpoint(row, this.get(row.networkId)), resolver)
    })
  }
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
