import { existsSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { isPortFree } from '@ctr/linux'
import { EndpointTable, NameTable } from '@ctr/store'
import { Bridges } from './bridge/bridges.ts'
import { isUsableBridge } from './bridge/default.ts'
import { deleteLinks, hostSubnets } from './bridge/link.ts'
import { Resolver } from './dns/resolver.ts'
import type { ConnectOptions } from './endpoint/allocate.ts'
import { connectEndpoint, type StartingEndpoint } from './endpoint/connect.ts'
import { type Endpoint, publicationsOf, toEndpoint } from './endpoint/endpoint.ts'
import { bestGateway } from './endpoint/gateway.ts'
import type { EndpointParts } from './endpoint/parts.ts'
import { plugOps, RESOLVER_ADDRESS, type Target } from './endpoint/plan.ts'
import { firstEphemeral } from './endpoint/ports.ts'
import { reconcileEndpoints } from './endpoint/reconcile.ts'
import { forgetEndpoints, releaseEndpoints } from './endpoint/release.ts'
import {
  connectRunning,
  disconnectRunning,
  finishChanges,
  type LeaveOptions,
  type Record,
  serveInside,
} from './endpoint/running.ts'
import { Firewall } from './firewall/firewall.ts'
import { forgetFlows } from './firewall/flows.ts'
import { Healing } from './firewall/healing.ts'
import { switchOn, warnOfDroppingChains } from './firewall/host.ts'
import type { FirewallState } from './firewall/render.ts'
import { isLan, parentOf } from './lan/options.ts'
import { Parents } from './lan/parents.ts'
import { planNetwork } from './network/create.ts'
import type { CreateNetworkOptions } from './network/create-options.ts'
import { LowestFree } from './network/ipam.ts'
import {
  isBridged,
  isPredefined,
  type Network,
  OPTION_BRIDGE_NAME,
  rulesOf,
} from './network/network.ts'
import { NetworkRegistry } from './network/registry.ts'
import type { NetworksOptions } from './options.ts'

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
  readonly #parents: Parents
  readonly #endpoints: EndpointTable
  /** False with `--bridge none`: no bridge networks, no firewall. */
  readonly #hasBridges: boolean
  readonly #firewall: Firewall | undefined
  readonly #resolver: Resolver
  readonly #healing: Healing | undefined
  /** For what is done with the endpoints of containers: `endpoint/`. */
  readonly #parts: EndpointParts

  constructor(options: NetworksOptions) {
    if (!/^[A-Za-z0-9-]{1,32}$/.test(options.instance)) {
      throw new EngineError('INVALID_ARGUMENT', `invalid instance "${options.instance}"`)
    }
    this.#options = options
    const hasBridges = options.bridge.kind !== 'none'
    this.#hasBridges = hasBridges
    const createdAtNs = BigInt(Date.now()) * 1_000_000n
    this.#registry = new NetworkRegistry(options.store, { hasBridges, createdAtNs })
    this.#bridges = new Bridges(options, this.#registry)
    this.#parents = new Parents(options, this.#registry)
    this.#endpoints = new EndpointTable(options.store)
    this.#resolver = new Resolver({
      names: new NameTable(options.store, this.#endpoints),
      endpoints: this.#endpoints,
      networkById: (id) => this.#registry.byId(id),
      hostFile: '/etc/resolv.conf',
      log: options.log,
    })
    if (hasBridges && options.defaults.hasFirewall) {
      const state = (): Omit<FirewallState, 'table'> => ({
        bridges: this.#bridges.all().map(rulesOf),
        publications: this.#endpoints
          .all()
          .flatMap((row) => publicationsOf(row, this.get(row.networkId))),
        detours: this.#resolver.detours(),
      })
      this.#firewall = new Firewall(`ctr-${options.instance}`, state, (publications) =>
        forgetFlows(options, publications),
      )
      this.#healing = new Healing(this.#firewall, options.log)
    }
    this.#parts = {
      options,
      registry: this.#registry,
      bridges: this.#bridges,
      parents: this.#parents,
      endpoints: this.#endpoints,
      ports: {
        isTaken: (protocol, hostIp, port) => this.#endpoints.isPortTaken(protocol, hostIp, port),
        isFree: isPortFree,
        hasIpv6: existsSync('/proc/net/if_inet6'),
        nextEphemeral: firstEphemeral(options.instance),
      },
      lowestFree: new LowestFree(),
      firewall: this.#firewall,
      resolver: this.#resolver,
    }
  }

  /** What the network mode `default` means. */
  get defaultNetwork(): 'bridge' | 'none' {
    return this.#hasBridges ? 'bridge' : 'none'
  }

  /** The addresses that `host-gateway` stands for. */
  get hostGateways(): string[] {
    return (this.find('bridge')?.pools ?? []).flatMap((pool) => pool.gateway || [])
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
    if (!this.#hasBridges && ['', 'bridge'].includes(o.driver ?? '')) {
      throw new EngineError(
        'FORBIDDEN',
        'bridge networks are disabled: ctrd runs with --bridge none',
      )
    }
    // Its name, its bridge and its parent are free again when the removal has ended that is under way.
    const bridge = o.options?.[OPTION_BRIDGE_NAME]
    const parent = o.options?.['parent']
    await this.#registry.whenGone(
      (network) =>
        network.name === o.name ||
        (bridge !== undefined && network.bridge === bridge) ||
        (parent !== undefined && isLan(network) && parentOf(network) === parent),
    )
    const facts = {
      networks: this.list(),
      hostSubnets: hostSubnets(),
      defaults: this.#options.defaults,
      createdAtNs: BigInt(Date.now()) * 1_000_000n,
    }
    const planned = planNetwork(o, facts)
    const network = isBridged(planned)
      ? { ...planned, isForeign: isUsableBridge(planned.bridge) }
      : planned
    if (network.configuration !== undefined) {
      this.#registry.insert(network)
      return network
    }
    await this.#registry.add(network, async () => {
      try {
        await this.#make(network)
      } catch (error) {
        await this.#destroy(network)
        throw error
      }
    })
    return network
  }

  async remove(ref: string): Promise<Network> {
    const made = this.#registry.whenMade(this.get(ref))
    if (made !== undefined) await made
    const network = this.get(ref)
    if (isPredefined(network)) {
      throw new EngineError(
        'FORBIDDEN',
        `${network.name} is a pre-defined network and cannot be removed`,
      )
    }
    const isSource = ({ configFrom }: Network): boolean => configFrom === network.name
    if (network.configuration !== undefined && this.list().some(isSource)) {
      throw new EngineError(
        'FORBIDDEN',
        `error while removing network: configuration network ${JSON.stringify(network.name)} is in use`,
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
      !isPredefined(network) &&
      network.configuration === undefined &&
      this.#endpoints.ofNetwork(network.id).length === 0
    const unused = this.list().filter((network) => isUnused(network) && isWanted(network))
    const removed: Network[] = []
    for (const network of unused) {
      const made = this.#registry.whenMade(network)
      if (made !== undefined) await made
      // In use, or removed by somebody else meanwhile.
      if (this.#registry.byId(network.id) === undefined || !isUnused(network)) continue
      await this.#destroy(network)
      removed.push(network)
    }
    return removed
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
    if (gateway?.includes(':')) return gateway
    const isAnswered = gateway !== undefined || this.#resolver.asksInside(containerId)
    return isAnswered ? RESOLVER_ADDRESS : undefined
  }

  /** The container runs, for this daemon: if its questions for names wait in its own network namespace, they are answered from now on. */
  async serveNames(containerId: string, pid: number): Promise<void> {
    await serveInside(this.#parts, containerId, pid)
  }

  isAnsweredInside(containerId: string): boolean {
    return this.#resolver.asksInside(containerId)
  }

  /** Which of these networks will have the default route of a container, and publish its ports; undefined: none leads out. */
  wayOut(
    candidates: readonly { readonly network: string; readonly priority: number }[],
  ): string | undefined {
    const known = candidates.flatMap(({ network: reference, priority }) => {
      const network = this.find(reference)
      return network === undefined ? [] : [{ reference, network, priority }]
    })
    return bestGateway(known)?.reference
  }

  renameContainer(containerId: string, name: string): void {
    this.#endpoints.renameContainer(containerId, name)
    this.#resolver.forget()
  }

  /** Allocates everything for a container that is about to start. Undone by `disconnect`. */
  async connect(o: ConnectOptions): Promise<StartingEndpoint> {
    return await connectEndpoint(this.#parts, o)
  }

  /** As `connect`, for a container that runs: its network namespace has changed, and its ports have moved, when this returns. */
  async connectRunning(o: ConnectOptions, target: Target, record?: Record): Promise<Endpoint> {
    return await connectRunning(this.#parts, o, target, record)
  }

  /** Takes one network away from a running container; another of its networks becomes the way out and publishes its ports. */
  async disconnectRunning(
    containerId: string,
    networkRef: string,
    target: Target,
    o: LeaveOptions = {},
  ): Promise<void> {
    await disconnectRunning(this.#parts, containerId, networkRef, target, o)
  }

  /** A daemon was killed while it changed a running container's networks: `finishChanges` is to be called. */
  hasUnfinishedChanges(containerId: string): boolean {
    return this.#parts.endpoints.ofContainer(containerId).some(({ isChanging }) => isChanging)
  }

  async finishChanges(containerId: string, target: Target, o: LeaveOptions = {}): Promise<void> {
    await finishChanges(this.#parts, containerId, target, o)
  }

  /** Gives back all that a container holds; its links go with its network namespace. Doing it again changes nothing. */
  async disconnect(containerId: string): Promise<void> {
    await releaseEndpoints(this.#parts, this.#endpoints.ofContainer(containerId))
  }

  /**
   * Within a transaction: `disconnect`, if the firewall has nothing to do with it. What is returned is for when the
   * transaction fails.
   */
  disconnectUnpublished(containerId: string): () => void {
    const rows = this.#endpoints.ofContainer(containerId)
    const isPublished = this.#firewall !== undefined && rows.some((row) => row.ports.length > 0)
    if (!isPublished) forgetEndpoints(this.#parts, rows)
    return () => this.#parts.lowestFree.forget()
  }

  /** Cuts a running container off from its networks, or connects it again: nobody answers for it meanwhile, not even with a reset. */
  async setPlugged(containerId: string, isPlugged: boolean): Promise<void> {
    const links = this.#endpoints.ofContainer(containerId).flatMap(({ link }) => link ?? [])
    if (links.length > 0)
      await this.#options.exec(links.flatMap((link) => plugOps(link, isPlugged)))
  }

  /** Removes what belongs to no live container. */
  async reconcile(liveContainerIds: ReadonlySet<string>): Promise<void> {
    await reconcileEndpoints(this.#parts, liveContainerIds)
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
      await this.#parents.releaseAll()
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
    await this.#parents.restore()
    if (!this.#hasBridges) return
    await this.#bridges.restoreDefault(this.#endpoints)
    if (this.#options.defaults.setsForwarding) switchOn('/proc/sys/net/ipv4/ip_forward')
    await this.reload()
    if (this.#firewall === undefined) return
    await warnOfDroppingChains(this.#firewall, this.#options.log)
  }

  /** What it needs on the host. */
  async #make(network: Network): Promise<void> {
    if (isLan(network)) return void (await this.#parents.ensure(network))
    if (isBridged(network)) await this.#bridges.ensure(network)
    await this.#resolver.sync(this.#bridges.all())
    await this.#firewall?.apply()
  }

  async #destroy(network: Network): Promise<void> {
    await this.#registry.delete(network, async () => {
      await this.#resolver.sync(this.#bridges.all())
      if (isLan(network)) await this.#parents.release(network)
      const links = isBridged(network) && !network.isForeign ? [network.bridge] : []
      await deleteLinks(this.#options.exec, links)
      await this.#firewall?.apply()
    })
  }
}
