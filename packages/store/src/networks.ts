import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export type NetworkDriver = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan'

export interface NetworkRow {
  readonly id: string
  readonly name: string
  readonly driver: NetworkDriver
  readonly createdAtNs: bigint
  /** Name of the bridge's link; undefined with other drivers. */
  readonly bridge: string | undefined
  /** The link `bridge` was there before us: never delete it. */
  readonly isForeign: boolean
  readonly isInternal: boolean
  readonly isAttachable: boolean
  readonly hasIpv6: boolean
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly pools: readonly PoolRow[]
  /** Kept for who asks; undefined: none were given. */
  readonly ipamOptions: Readonly<Record<string, string>> | undefined
  /** Name of the network whose configuration this one has, or empty. */
  readonly configFrom: string
  /** Address pools of networks that are made of this one; undefined: containers can be on this network. */
  readonly configuration: readonly PoolRequest[] | undefined
}

/** What a user asks for; see planPool of @ctr/network. */
export interface PoolRequest {
  readonly subnet?: string
  readonly gateway?: string
  readonly ipRange?: string
  readonly auxAddresses?: Readonly<Record<string, string>>
}

export interface PoolRow {
  readonly subnet: string
  readonly gateway: string
  readonly ipRange: string | undefined
  readonly auxAddresses: Readonly<Record<string, string>>
  readonly isExplicit: boolean
}

/** Tables `networks` and `network_pools`. */
export class NetworkTable {
  readonly #insert: Statement
  readonly #insertPool: Statement
  readonly #delete: Statement
  readonly #deletePools: Statement
  readonly #setBridge: Statement
  readonly #all: Statement
  readonly #pools: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db.prepare(
      'INSERT INTO networks (id, name, driver, created_at_ns, bridge, is_foreign, is_internal, is_attachable, has_ipv6, options, labels, ipam_options, config_from, configuration) VALUES (@id, @name, @driver, @createdAtNs, @bridge, @isForeign, @isInternal, @isAttachable, @hasIpv6, @options, @labels, @ipamOptions, @configFrom, @configuration)',
    )
    this.#insertPool = db.prepare(
      'INSERT INTO network_pools (network_id, subnet, gateway, ip_range, aux_addresses, is_explicit) VALUES (@networkId, @subnet, @gateway, @ipRange, @auxAddresses, @isExplicit)',
    )
    this.#delete = db.prepare(
      "DELETE FROM networks WHERE id = @id AND NOT EXISTS (SELECT 1 FROM kept_endpoints WHERE document ->> 'networkId' = @id)",
    )
    this.#deletePools = db.prepare('DELETE FROM network_pools WHERE network_id = ?')
    this.#setBridge = db.prepare(
      'UPDATE networks SET bridge = ?, is_foreign = ?, has_ipv6 = ?, options = ? WHERE id = ?',
    )
    this.#all = db
      .prepare(
        'SELECT id, name, driver, created_at_ns AS createdAtNs, bridge, is_foreign AS isForeign, is_internal AS isInternal, is_attachable AS isAttachable, has_ipv6 AS hasIpv6, options, labels, ipam_options AS ipamOptions, config_from AS configFrom, configuration FROM networks ORDER BY name',
      )
      .safeIntegers(true)
    this.#pools = db.prepare(
      'SELECT network_id AS networkId, subnet, gateway, ip_range AS ipRange, aux_addresses AS auxAddresses, is_explicit AS isExplicit FROM network_pools ORDER BY subnet',
    )
  }

  /** Inside a transaction: a network appears together with its pools. */
  insert(row: NetworkRow): void {
    this.#insert.run({
      id: row.id,
      name: row.name,
      driver: row.driver,
      createdAtNs: row.createdAtNs,
      bridge: row.bridge ?? null,
      isForeign: Number(row.isForeign),
      isInternal: Number(row.isInternal),
      isAttachable: Number(row.isAttachable),
      hasIpv6: Number(row.hasIpv6),
      options: JSON.stringify(row.options),
      labels: JSON.stringify(row.labels),
      ipamOptions: row.ipamOptions === undefined ? null : JSON.stringify(row.ipamOptions),
      configFrom: row.configFrom,
      configuration: row.configuration === undefined ? null : JSON.stringify(row.configuration),
    })
    this.#insertPools(row.id, row.pools)
  }

  /** Inside a transaction. For the default bridge, whose link and subnet come from the daemon's options. */
  setBridge(
    id: string,
    bridge: {
      readonly name: string
      readonly isForeign: boolean
      readonly pools: readonly PoolRow[]
      readonly options: Readonly<Record<string, string>>
    },
  ): void {
    const hasIpv6 = bridge.pools.some(({ subnet }) => subnet.includes(':'))
    this.#setBridge.run(
      bridge.name,
      Number(bridge.isForeign),
      Number(hasIpv6),
      JSON.stringify(bridge.options),
      id,
    )
    this.#deletePools.run(id)
    this.#insertPools(id, bridge.pools)
  }

  /** Throws while an endpoint is on the network. */
  delete(id: string): void {
    if (this.#delete.run({ id }).changes === 0) throw new Error(`an endpoint is on network ${id}`)
  }

  all(): NetworkRow[] {
    const pools = new Map<string, PoolRow[]>()
    for (const row of this.#pools.all() as RawPool[]) {
      const list = pools.get(row.networkId) ?? []
      pools.set(row.networkId, list)
      list.push({
        subnet: row.subnet,
        gateway: row.gateway,
        ipRange: row.ipRange ?? undefined,
        auxAddresses: JSON.parse(row.auxAddresses) as Record<string, string>,
        isExplicit: row.isExplicit !== 0,
      })
    }
    return (this.#all.all() as RawNetwork[]).map((row) => ({
      ...row,
      bridge: row.bridge ?? undefined,
      isForeign: row.isForeign !== 0n,
      isInternal: row.isInternal !== 0n,
      isAttachable: row.isAttachable !== 0n,
      hasIpv6: row.hasIpv6 !== 0n,
      options: JSON.parse(row.options) as Record<string, string>,
      labels: JSON.parse(row.labels) as Record<string, string>,
      pools: pools.get(row.id) ?? [],
      ipamOptions: parseOptional<Record<string, string>>(row.ipamOptions),
      configuration: parseOptional<PoolRequest[]>(row.configuration),
    }))
  }

  #insertPools(networkId: string, pools: readonly PoolRow[]): void {
    for (const pool of pools) {
      this.#insertPool.run({
        networkId,
        subnet: pool.subnet,
        gateway: pool.gateway,
        ipRange: pool.ipRange ?? null,
        auxAddresses: JSON.stringify(pool.auxAddresses),
        isExplicit: Number(pool.isExplicit),
      })
    }
  }
}

type RawNetwork = Omit<
  NetworkRow,
  | 'bridge'
  | 'isForeign'
  | 'isInternal'
  | 'isAttachable'
  | 'hasIpv6'
  | 'options'
  | 'labels'
  | 'pools'
  | 'ipamOptions'
  | 'configuration'
> & {
  bridge: string | null
  isForeign: bigint
  isInternal: bigint
  isAttachable: bigint
  hasIpv6: bigint
  options: string
  labels: string
  ipamOptions: string | null
  configuration: string | null
}

function parseOptional<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T)
}

interface RawPool {
  networkId: string
  subnet: string
  gateway: string
  ipRange: string | null
  auxAddresses: string
  isExplicit: number
}
