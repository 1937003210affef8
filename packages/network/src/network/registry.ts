import { randomBytes } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import { NetworkTable, type Store, transaction } from '@ctr/store'
import type { DefaultBridge } from '../bridge/default.ts'
import { type Network, PREDEFINED } from './network.ts'
import { ipv4First } from './pool.ts'

/** The networks by id, name and prefix: a cache of the table `networks`, which is written first. */
export class NetworkRegistry {
  readonly #store: Store
  readonly #table: NetworkTable
  readonly #hasBridges: boolean
  readonly #networks = new Map<string, Network>()
  /** Those that are being made: in the cache and the database, not on the host yet. By id. */
  readonly #coming = new Map<string, Promise<void>>()
  /** Those that are being removed: no longer in the cache, still in the database and on the host. */
  readonly #leaving = new Map<Network, Promise<void>>()

  /** Without bridges, as `dockerd --bridge=none`, rows of bridge networks wait for a daemon that has them again. */
  constructor(store: Store, o: { hasBridges: boolean; createdAtNs: bigint }) {
    this.#store = store
    this.#table = new NetworkTable(store)
    this.#hasBridges = o.hasBridges
    transaction(store, () => this.#insertPredefined(o.createdAtNs))
    this.#load()
  }

  list(): Network[] {
    return [...this.#networks.values()]
  }

  get(ref: string): Network {
    const network = this.find(ref)
    if (network === undefined) throw new EngineError('NOT_FOUND', `network ${ref} not found`)
    return network
  }

  byId(id: string): Network | undefined {
    return this.#networks.get(id)
  }

  /** By id, then name, then unique id prefix. */
  find(ref: string): Network | undefined {
    const byId = this.#networks.get(ref)
    if (byId !== undefined) return byId
    const byName = this.list().find((network) => network.name === ref)
    if (byName !== undefined || ref === '') return byName
    const byPrefix = this.list().filter((network) => network.id.startsWith(ref))
    if (byPrefix.length <= 1) return byPrefix[0]
    throw new EngineError(
      'INVALID_ARGUMENT',
      `network ${ref} is ambiguous (${byPrefix.length} matches found based on ID prefix)`,
    )
  }

  insert(network: Network): void {
    transaction(this.#store, () => this.#table.insert(network))
    this.#networks.set(network.id, network)
  }

  /** Adds a network around `make`, which puts it on the host, or removes it again. */
  async add(network: Network, make: () => Promise<void>): Promise<void> {
    this.insert(network)
    const made = make()
    this.#coming.set(network.id, made)
    try {
      await made
    } finally {
      this.#coming.delete(network.id)
    }
  }

  /** Resolves when the network has been made, or has not; undefined: nobody is at it, and who asks goes on at once. */
  whenMade({ id }: Network): Promise<unknown> | undefined {
    const made = this.#coming.get(id)
    return made === undefined ? undefined : Promise.allSettled([made])
  }

  /**
   * Removes a network around `undo`, which takes it off the host: first out of the cache, so that no container can be
   * connected meanwhile; last out of the database, so that after a crash it can be removed again.
   */
  async delete(network: Network, undo: () => Promise<void>): Promise<void> {
    const left = this.#delete(network, undo)
    this.#leaving.set(network, left)
    try {
      await left
    } finally {
      this.#leaving.delete(network)
    }
  }

  /** Resolves when none of the networks that are meant is being removed; whether a removal has failed is for its own caller. */
  async whenGone(isMeant: (network: Network) => boolean): Promise<void> {
    for (;;) {
      const meant = [...this.#leaving].filter(([network]) => isMeant(network))
      if (meant.length === 0) return
      await Promise.allSettled(meant.map(([, left]) => left))
    }
  }

  async #delete(network: Network, undo: () => Promise<void>): Promise<void> {
    this.#networks.delete(network.id)
    try {
      await undo()
      transaction(this.#store, () => this.#table.delete(network.id))
    } catch (error) {
      this.#networks.set(network.id, network)
      throw error
    }
  }

  setDefaultBridge(bridge: DefaultBridge): void {
    const { id } = this.get('bridge')
    transaction(this.#store, () => this.#table.setBridge(id, bridge))
    this.#load()
  }

  #load(): void {
    this.#networks.clear()
    for (const network of this.#table.all()) {
      if (network.driver === 'bridge' && !this.#hasBridges) continue
      this.#networks.set(network.id, { ...network, pools: ipv4First(network.pools) })
    }
  }

  #insertPredefined(createdAtNs: bigint): void {
    const known = new Set(this.#table.all().map((network) => network.name))
    for (const { name, driver } of PREDEFINED) {
      if (known.has(name)) continue
      this.#table.insert({
        id: randomBytes(32).toString('hex'),
        name,
        driver,
        createdAtNs,
        bridge: undefined,
        isForeign: false,
        isInternal: false,
        isAttachable: false,
        hasIpv6: false,
        options: {},
        labels: {},
        pools: [],
        ipamOptions: undefined,
        configFrom: '',
        configuration: undefined,
      })
    }
  }
}
