import { isErrno } from '@ctr/errdefs'
import type { EndpointTable, NameTable } from '@ctr/store'
import { addressBytes, formatAddress, parseAddress } from '../address.ts'
import {
  type BridgedNetwork,
  bridgeAddresses,
  isBridged,
  type Network,
} from '../network/network.ts'
import { Forwarder } from './forwarder.ts'
import { HostServers } from './host-servers.ts'
import { listenInside } from './inside.ts'
import { Listener } from './listener.ts'
import { type Asker, answerLocally, type Directory, hasNames, leadsOut } from './local.ts'
import {
  encodeAnswer,
  encodeError,
  parseQuery,
  type Query,
  RCODE,
  type Rcode,
  truncate,
} from './message.ts'

interface ResolverOptions {
  readonly names: NameTable
  readonly endpoints: Pick<EndpointTable, 'ofContainer'>
  readonly networkById: (id: string) => Network | undefined
  /** The host's resolv.conf(5). */
  readonly hostFile: string
  readonly log: { warn(fields: object, message: string): void }
}

/** A listener that had to take another port than 53: the firewall leads the containers' queries there. */
export interface Detour {
  readonly link: string
  readonly address: string
  readonly port: number
}

/**
 * Name resolution for containers: a resolver on each gateway of the user-defined networks. It tells a container the names
 * on the networks that it is attached to, by its address, and asks other resolvers for all other names. Questions are answered
 * from the database; what was read is kept until `forget`, so a restart needs the listeners only.
 */
export class Resolver implements Directory {
  readonly #names: NameTable
  readonly #endpoints: Pick<EndpointTable, 'ofContainer'>
  /** Read from the database, by network and address or name; only what exists, so no client can make them long. */
  readonly #askers = new Map<string, Asker>()
  readonly #found = new Map<string, Uint8Array[]>()
  readonly #networkById: (id: string) => Network | undefined
  readonly #forwarder = new Forwarder()
  readonly #hostServers: HostServers
  readonly #log: ResolverOptions['log']
  /** By gateway address. */
  readonly #listeners = new Map<string, { listener: Listener; networkId: string; link: string }>()
  /** In the network namespaces of containers that no gateway answers, by container. */
  readonly #inside = new Map<string, Listener>()
  /** Tail of the queue of changes to the listeners. */
  #last: Promise<void> = Promise.resolve()

  constructor(o: ResolverOptions) {
    this.#names = o.names
    this.#endpoints = o.endpoints
    this.#networkById = o.networkById
    this.#hostServers = new HostServers(o.hostFile)
    this.#log = o.log
  }

  /** Makes the listeners those of `networks`, whose bridges are there. One that cannot be opened is tried again next time. */
  sync(networks: readonly BridgedNetwork[]): Promise<void> {
    this.forget()
    this.#last = this.#last.then(() => this.#sync(networks))
    return this.#last
  }

  /** After, or in, every transaction that changes an endpoint. */
  forget(): void {
    this.#askers.clear()
    this.#found.clear()
  }

  detours(): Detour[] {
    return [...this.#listeners.values()]
      .filter(({ listener }) => listener.port !== PORT)
      .map(({ listener, link }) => ({ link, address: listener.address, port: listener.port }))
  }

  /**
   * For the container's resolv.conf: the address at which it is answered. Undefined: it has to ask the host's resolvers.
   * `change`: as it will be when the container has left one network, and another has its default route.
   */
  addressFor(containerId: string, change?: NetworkLeft): string | undefined {
    // Every start asks, and few machines have a network with names.
    if (this.#listeners.size === 0) return undefined
    const networks = this.#networksOf(containerId).filter(isBridged)
    const others = networks.filter(({ id }) => id !== change?.left && id !== change?.gateway)
    const first = networks.filter(({ id }) => id === change?.gateway)
    return [...first, ...others]
      .flatMap((network) => network.pools.map((pool) => pool.gateway))
      .find((address) => this.#listeners.has(address))
  }

  /** Whether the container has to be answered in its own network namespace: the host has no address on any of its networks. */
  asksInside(containerId: string, change?: NetworkLeft): boolean {
    const networks = this.#networksOf(containerId).filter(({ id }) => id !== change?.left)
    return networks.length > 0 && networks.every(isOutOfReach)
  }

  /** Of a container that runs, and has sockets for it: it is answered from now on. */
  async serveInside(containerId: string, pid: number): Promise<void> {
    if (this.#inside.has(containerId)) return
    try {
      const listener = await listenInside(containerId, pid, (bytes, { isTcp }) =>
        this.#answer((): Asker => this.#askerOf(containerId), bytes, isTcp),
      )
      if (listener === undefined) return
      const hasGone = this.#names.attachments(containerId).length === 0
      if (hasGone || this.#inside.has(containerId)) listener[Symbol.dispose]()
      else this.#inside.set(containerId, listener)
    } catch (err) {
      if (isErrno(err, 'ENOENT', 'ESRCH')) return // it has ended
      this.#log.warn({ containerId, err }, 'cannot resolve names for a container')
    }
  }

  /** The container has gone: without this its network namespace would stay. */
  leave(containerId: string): void {
    this.#inside.get(containerId)?.[Symbol.dispose]()
    this.#inside.delete(containerId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const containerId of this.#inside.keys()) this.leave(containerId)
    await this.sync([])
    this.#forwarder[Symbol.dispose]()
  }

  async #sync(networks: readonly BridgedNetwork[]): Promise<void> {
    const wanted = new Map(
      networks
        .filter(hasNames)
        .flatMap((network) =>
          bridgeAddresses(network).map(({ address }) => [formatAddress(address), network] as const),
        ),
    )
    for (const [address, { listener, networkId }] of this.#listeners) {
      if (wanted.get(address)?.id === networkId) continue
      listener[Symbol.dispose]()
      this.#listeners.delete(address)
    }
    for (const [address, network] of wanted) {
      if (this.#listeners.has(address)) continue
      const listener = await this.#open(address, network)
      if (listener === undefined) continue
      this.#listeners.set(address, { listener, networkId: network.id, link: network.bridge })
    }
  }

  async #open(address: string, network: Network): Promise<Listener | undefined> {
    const open = (port: number): Promise<Listener> =>
      Listener.open(address, port, (bytes, client) => {
        try {
          const asker = (): Asker | undefined => this.#askerAt(network.id, client.address)
          return this.#answer(asker, bytes, client.isTcp)
        } catch (err) {
          this.#log.warn({ network: network.name, err }, 'cannot resolve a name')
          return encodeError(bytes, RCODE.SERVFAIL)
        }
      })
    try {
      return await open(PORT).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error
        return open(0)
      })
    } catch (err) {
      this.#log.warn(
        { network: network.name, address, err },
        'cannot resolve names for the containers of a network',
      )
      return undefined
    }
  }

  #answer(
    askerNow: () => Asker | undefined,
    bytes: Buffer,
    isTcp: boolean,
  ): Buffer | undefined | Promise<Buffer | undefined> {
    const query = parseQuery(bytes)
    if (query === undefined) return undefined
    if ('error' in query) return encodeError(bytes, query.error)
    const maxBytes = isTcp ? MAX_TCP_BYTES : query.udpBytes
    const empty = (rcode: Rcode): Buffer => encodeAnswer(query, { rcode, records: [] }, maxBytes)
    const asker = askerNow()
    // Not a container of this network: other containers, the host, machines that route to us.
    if (asker === undefined) return empty(RCODE.REFUSED)
    const local = answerLocally(this, asker, query)
    if (local !== undefined) return encodeAnswer(query, local, maxBytes)
    // Not SERVFAIL: there is no such name here, and musl would go on asking for seconds.
    if (!leadsOut(asker)) return empty(RCODE.NXDOMAIN)
    const servers = asker.nameservers.length > 0 ? asker.nameservers : this.#hostServers.get()
    return this.#forward(query, { asker, servers, isTcp }).then(
      (answer) => answer ?? empty(RCODE.SERVFAIL),
    )
  }

  async #forward(
    query: Query,
    o: { asker: Asker; servers: readonly string[]; isTcp: boolean },
  ): Promise<Buffer | undefined> {
    const { containerId } = o.asker
    const answer = await this.#forwarder.forward(query, { ...o, containerId })
    return answer === undefined || o.isTcp ? answer : truncate(answer, query)
  }

  /** For `answerLocally`. */
  find(networkId: string, name: string): Uint8Array[] {
    const key = `${networkId} ${name}`
    const known = this.#found.get(key)
    if (known !== undefined) return known
    const found = this.#names.find(networkId, name)
    if (found.length > 0) this.#found.set(key, found)
    return found
  }

  /** For `answerLocally`. */
  nameAt(networkId: string, address: Uint8Array): string | undefined {
    return this.#names.nameAt(networkId, address)
  }

  #askerAt(networkId: string, clientAddress: string): Asker | undefined {
    const key = `${networkId} ${clientAddress}`
    const asker = this.#askers.get(key) ?? this.#readAsker(networkId, clientAddress)
    if (asker !== undefined) this.#askers.set(key, asker)
    return asker
  }

  #readAsker(networkId: string, clientAddress: string): Asker | undefined {
    const address = parseAddress(clientAddress)
    if (address === undefined) return undefined
    const containerId = this.#names.containerAt(networkId, addressBytes(address))
    return containerId === undefined ? undefined : this.#askerOf(containerId)
  }

  #askerOf(containerId: string): Asker {
    const rows = this.#names.attachments(containerId)
    const attachments = rows.flatMap(({ networkId: id, links }) => {
      const network = this.#networkById(id)
      return network === undefined ? [] : [{ network, links }]
    })
    return { containerId, attachments, nameservers: rows[0]?.nameservers ?? [] }
  }

  /** Those with names, the way out first, then by name. Not of the tables: every start asks, and its endpoint need not be there for it. */
  #networksOf(containerId: string): Network[] {
    const found = this.#endpoints.ofContainer(containerId).flatMap(({ networkId, isGateway }) => {
      const network = this.#networkById(networkId)
      return network !== undefined && hasNames(network) ? [{ network, isGateway }] : []
    })
    if (found.length > 1)
      found.sort(
        (a, b) =>
          Number(b.isGateway) - Number(a.isGateway) || (a.network.name < b.network.name ? -1 : 1),
      )
    return found.map(({ network }) => network)
  }
}

/** The host has no address on it, so nobody could ask there. */
export function isOutOfReach(network: Network): boolean {
  return hasNames(network) && (!isBridged(network) || bridgeAddresses(network).length === 0)
}

/** Ids of networks. */
export interface NetworkLeft {
  readonly left: string
  readonly gateway: string | undefined
}

const PORT = 53
const MAX_TCP_BYTES = 0xffff
