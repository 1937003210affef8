import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { interfaceIndex, isPortFree, Nftables, NftablesError } from '@ctr/linux'
import type { Op } from '@ctr/shim'
import {
  type EndpointRow,
  EndpointTable,
  NetworkTable,
  type Store,
  transaction,
  volatileTransaction,
} from '@ctr/store'
import { type Address, formatAddress, formatMac, macOf, parseAddress, parseMac } from './address.ts'
import { deleteLinks, type Exec, ensureBridge, hostSubnets } from './bridge.ts'
import { type CreateNetworkOptions, planNetwork } from './create.ts'
import { type DefaultBridge, decideDefaultBridge, ownerAlias } from './default-bridge.ts'
import { childOps, forwardOps, hostOps, loopbackOps, netlink, storedAddress } from './endpoint.ts'
import { type Publication, renderPublish, renderTable, renderUnpublish } from './firewall.ts'
import { type AddressBook, allocateAddress, requestAddress } from './ipam.ts'
import { bridgeAddresses, mtuOf, type Network, poolsOf, rulesOf } from './network.ts'
import { allocatePorts, EPHEMERAL_FIRST, type PortBinding, type PortFacts } from './ports.ts'
import { newRoute } from './rtnetlink.ts'

export interface NetworksOptions {
  readonly store: Store
  readonly log: Logger
  /** Runs a task program in the daemon's namespaces. */
  readonly exec: Exec
  readonly bridge:
    | { readonly kind: 'none' }
    | { readonly kind: 'bridge'; readonly name: string; readonly bip?: string | undefined }
  /** Short and unique to this daemon: names its nftables table and marks its links. Letters, digits, `-`. */
  readonly instance: string
}

interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface ConnectOptions {
  readonly containerId: string
  readonly containerName: string
  /** Id, name or unique id prefix. */
  readonly network: string
  readonly aliases: readonly string[]
  readonly requestedIp?: string | undefined
  readonly requestedIpv6?: string | undefined
  readonly macAddress?: string | undefined
  readonly ports: readonly PortBinding[]
  /** n of the container's `eth<n>`. */
  readonly index: number
}

/** A running container, for changes to its network namespace. */
export interface Target {
  readonly pid: number
  readonly startTime: bigint
}

export interface EndpointAddress {
  readonly address: string
  readonly prefix: number
  readonly gateway: string
}

/** A container on a network: what was decided, and the operations that make it so at its start. */
export interface Endpoint extends Omit<EndpointRow, 'ipv4' | 'ipv6'> {
  readonly networkName: string
  readonly interfaceName: string
  readonly ipv4: EndpointAddress | undefined
  readonly ipv6: EndpointAddress | undefined
  /** The published ports with the container's address behind each. */
  readonly publications: readonly Publication[]
}

export interface EndpointPlan extends Endpoint {
  /** For `network` of the shim's start plan. `childOps` of the first endpoint bring `lo` up, on `none` too. */
  readonly hostOps: Op[]
  readonly childOps: Op[]
  readonly forwards: Op[]
}

const CLONE_NEWNET = 0x40000000n

/** Opens the networks of a daemon: bridges and firewall are as the database says when it returns. Containers that run stay connected. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const networks = new Networks(options)
  try {
    await networks.restore()
  } catch (error) {
    await networks.dispose()
    throw error
  }
  return networks
}

/**
 * Networks and endpoints. SQLite is the truth: a row is written before the thing that it stands for is made, and
 * deleted after that is gone, so that whatever a crash leaves is found from the rows.
 */
export class Networks {
  readonly #options: NetworksOptions
  readonly #table: string
  readonly #networkTable: NetworkTable
  readonly #endpoints: EndpointTable
  readonly #nft: Nftables | undefined
  /** Cache of the table `networks`, by id. */
  readonly #networks = new Map<string, Network>()
  readonly #portFacts: PortFacts

  constructor(options: NetworksOptions) {
    if (!/^[A-Za-z0-9-]{1,32}$/.test(options.instance)) {
      throw new EngineError('INVALID_ARGUMENT', `invalid instance "${options.instance}"`)
    }
    this.#options = options
    this.#table = `ctr-${options.instance}`
    this.#networkTable = new NetworkTable(options.store)
    this.#endpoints = new EndpointTable(options.store)
    this.#nft = options.bridge.kind === 'none' ? undefined : Nftables.open()
    this.#portFacts = {
      isTaken: (protocol, hostIp, port) => this.#endpoints.isPortTaken(protocol, hostIp, port),
      isFree: isPortFree,
      hasIpv6: existsSync('/proc/net/if_inet6'),
      nextEphemeral: EPHEMERAL_FIRST,
    }
  }

  /** What `--network default` means. */
  get defaultNetwork(): 'bridge' | 'none' {
    return this.#options.bridge.kind === 'none' ? 'none' : 'bridge'
  }

  /** The address that `host-gateway` stands for. */
  get hostGateway(): string | undefined {
    return this.find('bridge')?.pools[0]?.gateway
  }

  list(): Network[] {
    return [...this.#networks.values()]
  }

  get(ref: string): Network {
    const network = this.find(ref)
    if (network === undefined) throw new EngineError('NOT_FOUND', `network ${ref} not found`)
    return network
  }

  find(ref: string): Network | undefined {
    const byId = this.#networks.get(ref)
    if (byId !== undefined) return byId
    const all = this.list()
    const byName = all.find((network) => network.name === ref)
    if (byName !== undefined || ref === '') return byName
    const byPrefix = all.filter((network) => network.id.startsWith(ref))
    if (byPrefix.length > 1) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `network ${ref} is ambiguous (${byPrefix.length} matches found based on ID prefix)`,
      )
    }
    return byPrefix[0]
  }

  async create(o: CreateNetworkOptions): Promise<Network> {
    if (this.#nft === undefined) {
      throw new EngineError(
        'FORBIDDEN',
        'bridge networks are disabled: ctrd runs with --bridge none',
      )
    }
    const network = planNetwork(o, {
      networks: this.list(),
      hostSubnets: hostSubnets(),
      createdAtNs: nowNs(),
    })
    if (interfaceIndex(network.bridge) !== undefined) {
      throw new EngineError('FORBIDDEN', `bridge ${network.bridge} exists already`)
    }
    transaction(this.#options.store, () => this.#networkTable.insert(network))
    this.#networks.set(network.id, network)
    try {
      await this.#ensure(network)
      await this.#applyFirewall()
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
    const endpoints = this.#endpoints.ofNetwork(network.id)
    if (endpoints.length > 0) {
      const names = endpoints.map((e) => `name:"${e.containerName}" id:"${e.id.slice(0, 12)}"`)
      throw new EngineError(
        'FORBIDDEN',
        `error while removing network: network ${network.name} has active endpoints (${names.join(', ')})`,
      )
    }
    await this.#destroy(network)
    return network
  }

  /** Removes user-defined networks without containers; returns them. */
  async prune(isWanted: (network: Network) => boolean): Promise<Network[]> {
    const removed: Network[] = []
    for (const network of this.list()) {
      if (isPredefined(network) || !isWanted(network)) continue
      if (this.#endpoints.ofNetwork(network.id).length > 0) continue
      await this.#destroy(network)
      removed.push(network)
    }
    return removed
  }

  endpointsOf(networkRef: string): Endpoint[] {
    return this.#endpoints.ofNetwork(this.get(networkRef).id).map((row) => this.#render(row))
  }

  /** The endpoints that a container holds now. */
  containerEndpoints(containerId: string): Endpoint[] {
    return this.#endpoints.ofContainer(containerId).map((row) => this.#render(row))
  }

  renameContainer(containerId: string, name: string): void {
    this.#endpoints.renameContainer(containerId, name)
  }

  /** Allocates everything for a container that is about to start. Undone by `disconnect`. */
  async connect(o: ConnectOptions): Promise<EndpointPlan> {
    const network = this.get(o.network)
    const row = volatileTransaction(this.#options.store, () => this.#allocate(network, o))
    try {
      const plan = await this.#plan(network, row)
      await this.#publish(plan)
      return plan
    } catch (error) {
      this.#endpoints.delete(row.id)
      throw error
    }
  }

  /** As `connect`, for a container that runs: its network namespace is changed before this returns. */
  async connectRunning(o: ConnectOptions, target: Target): Promise<Endpoint> {
    const plan = await this.connect(o)
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

  /** Takes one network away from a running container. Another network becomes the way out. */
  async disconnectRunning(containerId: string, networkRef: string, target: Target): Promise<void> {
    const network = this.get(networkRef)
    const endpoints = this.#endpoints.ofContainer(containerId)
    const row = endpoints.find((endpoint) => endpoint.networkId === network.id)
    if (row === undefined) {
      throw new EngineError(
        'FORBIDDEN',
        `container ${containerId} is not connected to network ${network.name}`,
      )
    }
    if (row.link !== undefined) await deleteLinks(this.#options.exec, [row.link])
    await this.#release([row])
    const next = endpoints.find((other) => other !== row && this.#canBeGateway(other))
    if (!row.isGateway || next === undefined) return
    await this.#options.exec([...enterNetwork(target), ...this.#gatewayOps(next)])
    this.#endpoints.setGateway(next.id, true)
  }

  /** Gives back all that a container holds; its links have gone with its network namespace. Doing it again changes nothing. */
  async disconnect(containerId: string): Promise<void> {
    await this.#release(this.#endpoints.ofContainer(containerId))
  }

  /** Removes what belongs to no live container: rows, firewall elements, links on our bridges. */
  async reconcile(liveContainerIds: ReadonlySet<string>): Promise<void> {
    const dead = this.#endpoints.containerIds().filter((id) => !liveContainerIds.has(id))
    transaction(this.#options.store, () => {
      for (const id of dead)
        for (const row of this.#endpoints.ofContainer(id)) this.#endpoints.delete(row.id)
    })
    await this.#applyFirewall()
    const owned = new Set(this.#endpoints.all().map((row) => row.link))
    const orphans = this.list()
      .filter((network) => !network.isForeign)
      .flatMap((network) => (network.bridge === undefined ? [] : portsOfBridge(network.bridge)))
      .filter((link) => !owned.has(link))
    await deleteLinks(this.#options.exec, orphans)
    if (dead.length > 0 || orphans.length > 0) {
      this.#options.log.info({ containers: dead, links: orphans }, 'network leftovers removed')
    }
  }

  /** Puts bridges and firewall back as they should be, e.g. after `nft flush ruleset`. */
  async reload(): Promise<void> {
    for (const network of this.list()) if (network.bridge !== undefined) await this.#ensure(network)
    await this.#applyFirewall()
  }

  /** At the end of the daemon: bridges and firewall stay while a container is connected, else they go too. */
  async close(): Promise<void> {
    const isUsed = this.#endpoints.all().some((row) => row.link !== undefined)
    if (!isUsed) await this.#removeFromHost()
    await this.dispose()
  }

  async dispose(): Promise<void> {
    await this.#nft?.[Symbol.asyncDispose]()
  }

  async restore(): Promise<void> {
    this.#load()
    transaction(this.#options.store, () => this.#insertPredefined())
    this.#load()
    if (this.#nft === undefined) return
    await this.#restoreDefaultBridge()
    enableForwarding()
    await this.reload()
  }

  #load(): void {
    this.#networks.clear()
    for (const network of this.#networkTable.all()) {
      // dockerd --bridge=none has no network of that name; its row waits for a daemon that has a bridge again.
      if (network.name === 'bridge' && this.#nft === undefined) continue
      this.#networks.set(network.id, network)
    }
  }

  #insertPredefined(): void {
    const known = new Set(this.#networkTable.all().map((network) => network.name))
    for (const [name, driver] of [
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      if (known.has(name) || (name === 'bridge' && this.#nft === undefined)) continue
      this.#networkTable.insert({
        id: randomBytes(32).toString('hex'),
        name,
        driver,
        createdAtNs: nowNs(),
        bridge: undefined,
        isForeign: false,
        isInternal: false,
        isAttachable: false,
        hasIpv6: false,
        options: {},
        labels: {},
        pools: [],
      })
    }
  }

  async #restoreDefaultBridge(): Promise<void> {
    const { bridge, instance, log, store } = this.#options
    if (bridge.kind === 'none') return
    const stored = this.get('bridge')
    const isUsed = this.#endpoints
      .ofNetwork(stored.id)
      .some((row) => row.link !== undefined && interfaceIndex(row.link) !== undefined)
    const decided: DefaultBridge = decideDefaultBridge({
      wanted: { name: bridge.name, bip: bridge.bip },
      stored,
      isUsed,
      owner: ownerAlias(instance),
      otherSubnets: this.list()
        .filter((n) => n !== stored)
        .flatMap((n) => poolsOf(n).map((p) => p.subnet)),
    })
    for (const warning of decided.warnings) log.warn({ bridge: decided.name }, warning)
    if (decided.obsoleteLink !== undefined)
      await deleteLinks(this.#options.exec, [decided.obsoleteLink])
    if (decided.isChanged) {
      transaction(store, () => this.#networkTable.setBridge(stored.id, decided))
      this.#load()
    }
  }

  async #ensure(network: Network): Promise<number> {
    const { bridge } = network
    if (bridge === undefined)
      throw new EngineError('INTERNAL', `network ${network.name} has no bridge`)
    return await ensureBridge(this.#options.exec, {
      name: bridge,
      addresses: bridgeAddresses(network),
      mtu: mtuOf(network),
      owner: network.isForeign ? undefined : ownerAlias(this.#options.instance),
    })
  }

  #allocate(network: Network, o: ConnectOptions): EndpointRow {
    const others = this.#endpoints.ofContainer(o.containerId)
    if (others.some((row) => row.networkId === network.id)) {
      throw new EngineError(
        'FORBIDDEN',
        `endpoint with name ${o.containerName} already exists in network ${network.name}`,
      )
    }
    const id = randomBytes(32).toString('hex')
    const base = {
      id,
      networkId: network.id,
      containerId: o.containerId,
      containerName: o.containerName,
      interface: o.index,
      aliases: o.aliases,
    }
    if (network.driver !== 'bridge') {
      const row = {
        ...base,
        link: undefined,
        macAddress: '',
        isGateway: false,
        ipv4: undefined,
        ipv6: undefined,
        ports: [],
      }
      this.#endpoints.insert(row)
      return row
    }
    const ipv4 = this.#allocateAddress(network, 4, o.requestedIp)
    const ipv6 = this.#allocateAddress(network, 6, o.requestedIpv6)
    const row: EndpointRow = {
      ...base,
      // Docker's pattern; 52 random bits make it unique, IFNAMSIZ allows 15 characters.
      link: `veth${id.slice(0, 11)}`,
      macAddress: chooseMac(o.macAddress, ipv4),
      isGateway: !network.isInternal && !others.some((other) => other.isGateway),
      ipv4,
      ipv6,
      ports: network.isInternal
        ? []
        : allocatePorts(o.ports, this.#portFacts, { name: o.containerName, id }),
    }
    this.#endpoints.insert(row)
    return row
  }

  #allocateAddress(
    network: Network,
    family: 4 | 6,
    requested: string | undefined,
  ): bigint | undefined {
    const pools = poolsOf(network).filter((pool) => pool.subnet.family === family)
    const book: AddressBook = {
      from: (f, first) => this.#endpoints.addressesFrom(network.id, f, first),
      isTaken: (f, address) => this.#endpoints.isAddressTaken(network.id, f, address),
    }
    if (requested !== undefined && requested !== '') {
      if (network.name === 'bridge') {
        throw new EngineError(
          'INVALID_ARGUMENT',
          'user specified IP address is supported on user defined networks only',
        )
      }
      return requestAddress(pools, parseRequested(requested, family), book)
    }
    const pool = pools[0]
    return pool === undefined ? undefined : allocateAddress(pool, book)
  }

  async #plan(network: Network, row: EndpointRow): Promise<EndpointPlan> {
    const endpoint = this.#render(row)
    const loopback = row.interface === 0 && network.driver !== 'host' ? loopbackOps() : []
    if (network.bridge === undefined || row.link === undefined) {
      return { ...endpoint, hostOps: [], childOps: loopback, forwards: [] }
    }
    // Somebody may have deleted the bridge while we were running.
    const bridgeIndex = interfaceIndex(network.bridge) ?? (await this.#ensure(network))
    const mac = parseMac(row.macAddress)
    if (mac === undefined) throw new TypeError(`not a MAC address: ${row.macAddress}`)
    const addresses = [endpoint.ipv4, endpoint.ipv6].filter((entry) => entry !== undefined)
    const link = {
      link: row.link,
      bridgeIndex,
      interfaceName: endpoint.interfaceName,
      interfaceIndex: interfaceIndexOf(row),
      mac,
      mtu: mtuOf(network),
      addresses: addresses.map(({ address, prefix }) => ({
        address: storedAddress(address),
        prefix,
      })),
      gateways: row.isGateway ? addresses.map(({ gateway }) => storedAddress(gateway)) : [],
    }
    return {
      ...endpoint,
      hostOps: hostOps(link),
      childOps: [...loopback, ...childOps(link)],
      forwards: forwardOps(publicationsOf(row)),
    }
  }

  #canBeGateway(row: EndpointRow): boolean {
    const network = this.#networks.get(row.networkId)
    return network?.bridge !== undefined && !network.isInternal
  }

  /** The default route of a container that has lost its way out. */
  #gatewayOps(row: EndpointRow): Op[] {
    const endpoint = this.#render(row)
    const index = interfaceIndexOf(row)
    return [endpoint.ipv4, endpoint.ipv6]
      .filter((entry) => entry !== undefined)
      .map((entry) => {
        const gateway = storedAddress(entry.gateway)
        return netlink('child', newRoute({ family: gateway.family, gateway, index }))
      })
  }

  async #publish(endpoint: Endpoint): Promise<void> {
    const commands = renderPublish(this.#table, endpoint.publications)
    if (commands !== '') await this.#changeFirewall(commands)
  }

  /** Firewall first: while a port leads to an address, nobody else may get the address. */
  async #release(rows: readonly EndpointRow[]): Promise<void> {
    if (rows.length === 0) return
    const commands = renderUnpublish(this.#table, rows.flatMap(publicationsOf))
    if (commands !== '') await this.#changeFirewall(commands)
    volatileTransaction(this.#options.store, () => {
      for (const row of rows) this.#endpoints.delete(row.id)
    })
  }

  /** When the table is not as we left it (flushed, say), the whole of it is made anew from the database. */
  async #changeFirewall(commands: string): Promise<void> {
    try {
      await this.#nft?.run(commands)
    } catch (error) {
      if (!(error instanceof NftablesError)) throw error
      await this.#applyFirewall()
    }
  }

  async #applyFirewall(): Promise<void> {
    const bridges = this.list().flatMap((network) =>
      network.bridge === undefined ? [] : [rulesOf({ ...network, bridge: network.bridge })],
    )
    const publications = this.#endpoints.all().flatMap(publicationsOf)
    await this.#nft?.run(renderTable({ table: this.#table, bridges, publications }))
  }

  async #destroy(network: Network): Promise<void> {
    this.#networks.delete(network.id)
    try {
      if (network.bridge !== undefined) await deleteLinks(this.#options.exec, [network.bridge])
      await this.#applyFirewall()
    } catch (error) {
      this.#networks.set(network.id, network)
      throw error
    }
    transaction(this.#options.store, () => this.#networkTable.delete(network.id))
  }

  async #removeFromHost(): Promise<void> {
    if (this.#nft === undefined) return
    await this.#nft.run(`add table inet ${this.#table}\ndelete table inet ${this.#table}\n`)
    const links = this.list().flatMap((network) =>
      network.bridge === undefined || network.isForeign ? [] : [network.bridge],
    )
    await deleteLinks(this.#options.exec, links)
  }

  #render(row: EndpointRow): Endpoint {
    const network = this.#networks.get(row.networkId)
    const addressOf = (family: 4 | 6, value: bigint | undefined): EndpointAddress | undefined => {
      const pool = network?.pools.find(
        (candidate) => candidate.subnet.includes(':') === (family === 6),
      )
      if (value === undefined || pool === undefined) return undefined
      const prefix = Number(pool.subnet.split('/')[1])
      return { address: formatAddress({ family, value }), prefix, gateway: pool.gateway }
    }
    return {
      ...row,
      networkName: network?.name ?? '',
      interfaceName: `eth${row.interface}`,
      ipv4: addressOf(4, row.ipv4),
      ipv6: addressOf(6, row.ipv6),
      publications: publicationsOf(row),
    }
  }
}

/** Each published port with the address it leads to: of its own family if the container has one. */
function publicationsOf(row: EndpointRow): Publication[] {
  const v4 = row.ipv4 === undefined ? undefined : formatAddress({ family: 4, value: row.ipv4 })
  const v6 = row.ipv6 === undefined ? undefined : formatAddress({ family: 6, value: row.ipv6 })
  return row.ports.flatMap((port) => {
    const targetAddress = port.hostIp.includes(':') ? (v6 ?? v4) : v4
    return targetAddress === undefined ? [] : [{ ...port, targetAddress }]
  })
}

/** A child of the program in the container's network namespace; `join` checks that the pid is still the container. */
function enterNetwork(target: Target): Op[] {
  return [
    { op: 'join', pid: target.pid, start_time: target.startTime },
    { op: 'clone', flags: 0n, cgroup: '' },
    { op: 'enter', flags: CLONE_NEWNET },
  ]
}

/** In a fresh namespace only `lo` (1) exists, so the first free indices are ours to name. */
function interfaceIndexOf(row: EndpointRow): number {
  return row.interface + 2
}

function chooseMac(requested: string | undefined, ipv4: bigint | undefined): string {
  if (requested === undefined || requested === '') {
    return ipv4 === undefined
      ? formatMac(Buffer.concat([Buffer.from([2, 0x42]), randomBytes(4)]))
      : macOf(ipv4)
  }
  const mac = parseMac(requested)
  if (mac === undefined)
    throw new EngineError('INVALID_ARGUMENT', `invalid MAC address: ${requested}`)
  return formatMac(mac)
}

function parseRequested(text: string, family: 4 | 6): Address {
  const address = parseAddress(text)
  if (address?.family === family) return address
  throw new EngineError('INVALID_ARGUMENT', `invalid IPv${family} address: ${text}`)
}

function isPredefined(network: Network): boolean {
  return ['bridge', 'host', 'none'].includes(network.name)
}

/** Links enslaved to a bridge. */
function portsOfBridge(bridge: string): string[] {
  try {
    return readdirSync(`/sys/class/net/${bridge}/brif`)
  } catch {
    return [] // no such bridge
  }
}

/** Global, as Docker sets it, and left on: others may have come to rely on it. */
function enableForwarding(): void {
  for (const path of ['/proc/sys/net/ipv4/ip_forward']) {
    if (readFileSync(path, 'utf8').trim() !== '1') writeFileSync(path, '1')
  }
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
