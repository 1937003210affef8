import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export type NetworkDriver = 'bridge' | 'host' | 'null'

export interface NetworkRow {
  readonly id: string
  readonly name: string
  readonly driver: NetworkDriver
  readonly createdAtNs: bigint
  readonly bridge: string | undefined
  /** The link `bridge` was there before us: never delete it. */
  readonly isForeign: boolean
  readonly isInternal: boolean
  readonly isAttachable: boolean
  readonly hasIpv6: boolean
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly pools: readonly PoolRow[]
}

export interface PoolRow {
  readonly subnet: string
  readonly gateway: string
  readonly ipRange: string | undefined
  readonly auxAddresses: Readonly<Record<string, string>>
  readonly isExplicit: boolean
}

export interface EndpointRow {
  readonly id: string
  readonly networkId: string
  readonly containerId: string
  readonly containerName: string
  /** n of the container's `eth<n>`. */
  readonly interface: number
  readonly link: string | undefined
  readonly macAddress: string
  readonly aliases: readonly string[]
  readonly isGateway: boolean
  /** Value of the address, by family. */
  readonly ipv4: bigint | undefined
  readonly ipv6: bigint | undefined
  readonly ports: readonly PublishedPortRow[]
}

export interface PublishedPortRow {
  readonly protocol: 'tcp' | 'udp'
  readonly hostPort: number
  readonly hostIp: string
  readonly containerPort: number
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
      'INSERT INTO networks (id, name, driver, created_at_ns, bridge, is_foreign, is_internal, is_attachable, has_ipv6, options, labels) VALUES (@id, @name, @driver, @createdAtNs, @bridge, @isForeign, @isInternal, @isAttachable, @hasIpv6, @options, @labels)',
    )
    this.#insertPool = db.prepare(
      'INSERT INTO network_pools (network_id, subnet, gateway, ip_range, aux_addresses, is_explicit) VALUES (@networkId, @subnet, @gateway, @ipRange, @auxAddresses, @isExplicit)',
    )
    this.#delete = db.prepare('DELETE FROM networks WHERE id = ?')
    this.#deletePools = db.prepare('DELETE FROM network_pools WHERE network_id = ?')
    this.#setBridge = db.prepare(
      'UPDATE networks SET bridge = ?, is_foreign = ?, has_ipv6 = ?, options = ? WHERE id = ?',
    )
    this.#all = db
      .prepare(
        'SELECT id, name, driver, created_at_ns AS createdAtNs, bridge, is_foreign AS isForeign, is_internal AS isInternal, is_attachable AS isAttachable, has_ipv6 AS hasIpv6, options, labels FROM networks ORDER BY name',
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

  /** Fails (foreign key) while an endpoint is on the network. */
  delete(id: string): void {
    this.#delete.run(id)
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

/** Tables `endpoints`, `addresses` and `published_ports`: what running containers hold. */
export class EndpointTable {
  readonly #store: Store
  /** Committed rows by container: a start and its end ask half a dozen times. */
  readonly #known = new Map<string, readonly EndpointRow[]>()
  readonly #insert: Statement
  readonly #insertAddress: Statement
  readonly #insertPort: Statement
  readonly #delete: Statement
  readonly #setGateway: Statement
  readonly #rename: Statement
  readonly #select: Record<'all' | 'byContainer' | 'byNetwork', Statement>
  readonly #addressesOf: Statement
  readonly #portsOf: Statement
  readonly #addresses: Statement
  readonly #addressTaken: Statement
  readonly #portConflict: Statement
  readonly #containers: Statement

  constructor(store: Store) {
    this.#store = store
    const { db } = store
    const columns =
      'SELECT id, network_id AS networkId, container_id AS containerId, container_name AS containerName, interface, link, mac_address AS macAddress, aliases, is_gateway AS isGateway FROM endpoints'
    this.#insert = db.prepare(
      'INSERT INTO endpoints (id, network_id, container_id, container_name, interface, link, mac_address, aliases, is_gateway) VALUES (@id, @networkId, @containerId, @containerName, @interface, @link, @macAddress, @aliases, @isGateway)',
    )
    this.#insertAddress = db.prepare(
      'INSERT INTO addresses (network_id, family, address, endpoint_id) VALUES (?, ?, ?, ?)',
    )
    this.#insertPort = db.prepare(
      'INSERT INTO published_ports (protocol, host_port, host_ip, container_port, endpoint_id) VALUES (?, ?, ?, ?, ?)',
    )
    this.#delete = db.prepare('DELETE FROM endpoints WHERE id = ?')
    this.#setGateway = db.prepare('UPDATE endpoints SET is_gateway = ? WHERE id = ?')
    this.#rename = db.prepare('UPDATE endpoints SET container_name = ? WHERE container_id = ?')
    this.#select = {
      all: db.prepare(`${columns} ORDER BY container_id, interface`),
      // Sorted here: an ORDER BY takes six times as long as the search, and mostly for nothing or one row.
      byContainer: db.prepare(`${columns} WHERE container_id = ?`),
      byNetwork: db.prepare(`${columns} WHERE network_id = ? ORDER BY container_name`),
    }
    this.#addressesOf = db.prepare('SELECT family, address FROM addresses WHERE endpoint_id = ?')
    this.#portsOf = db.prepare(
      'SELECT protocol, host_port AS hostPort, host_ip AS hostIp, container_port AS containerPort FROM published_ports WHERE endpoint_id = ?',
    )
    this.#addresses = db
      .prepare(
        'SELECT address FROM addresses WHERE network_id = ? AND family = ? AND address >= ? ORDER BY address',
      )
      .pluck()
    this.#addressTaken = db
      .prepare('SELECT 1 FROM addresses WHERE network_id = ? AND family = ? AND address = ?')
      .pluck()
    this.#portConflict = db
      .prepare(
        `SELECT 1 FROM published_ports WHERE protocol = @protocol AND host_port = @hostPort
         AND (host_ip = @hostIp OR host_ip = @any OR (@hostIp = @any AND (instr(host_ip, ':') > 0) = (instr(@any, ':') > 0)))`,
      )
      .pluck()
    this.#containers = db.prepare('SELECT DISTINCT container_id FROM endpoints').pluck()
  }

  /** Inside a transaction: an endpoint appears together with its addresses and ports. */
  insert(row: EndpointRow): void {
    this.#known.delete(row.containerId)
    this.#insert.run({
      id: row.id,
      networkId: row.networkId,
      containerId: row.containerId,
      containerName: row.containerName,
      interface: row.interface,
      link: row.link ?? null,
      macAddress: row.macAddress,
      aliases: JSON.stringify(row.aliases),
      isGateway: Number(row.isGateway),
    })
    if (row.ipv4 !== undefined)
      this.#insertAddress.run(row.networkId, 4, toBlob(row.ipv4, 4), row.id)
    if (row.ipv6 !== undefined)
      this.#insertAddress.run(row.networkId, 6, toBlob(row.ipv6, 6), row.id)
    for (const port of row.ports) {
      this.#insertPort.run(port.protocol, port.hostPort, port.hostIp, port.containerPort, row.id)
    }
  }

  delete({ id, containerId }: Pick<EndpointRow, 'id' | 'containerId'>): void {
    this.#known.delete(containerId)
    this.#delete.run(id)
  }

  setGateway(id: string, isGateway: boolean): void {
    this.#known.clear()
    this.#setGateway.run(Number(isGateway), id)
  }

  renameContainer(containerId: string, name: string): void {
    this.#known.clear()
    this.#rename.run(name, containerId)
  }

  all(): EndpointRow[] {
    return this.#rows(this.#select.all.all())
  }

  ofContainer(containerId: string): readonly EndpointRow[] {
    // What an open transaction has changed may be rolled back.
    const isCommitted = !this.#store.db.inTransaction
    const known = isCommitted ? this.#known.get(containerId) : undefined
    if (known !== undefined) return known
    const rows = this.#rows(this.#select.byContainer.all(containerId))
    rows.sort((a, b) => a.interface - b.interface)
    if (isCommitted) this.#known.set(containerId, rows)
    return rows
  }

  ofNetwork(networkId: string): EndpointRow[] {
    return this.#rows(this.#select.byNetwork.all(networkId))
  }

  containerIds(): string[] {
    return this.#containers.all() as string[]
  }

  /** Addresses in use from `from` upwards, in order; lazily, so that the search for a gap can stop early. */
  *addressesFrom(networkId: string, family: 4 | 6, from: bigint): Generator<bigint> {
    for (const blob of this.#addresses.iterate(networkId, family, toBlob(from, family))) {
      yield fromBlob(blob as Buffer)
    }
  }

  isAddressTaken(networkId: string, family: 4 | 6, address: bigint): boolean {
    return this.#addressTaken.get(networkId, family, toBlob(address, family)) !== undefined
  }

  /** True when another endpoint has the port on this address, or either of the two is the wildcard of its family. */
  isPortTaken(protocol: string, hostIp: string, hostPort: number): boolean {
    const any = hostIp.includes(':') ? '::' : '0.0.0.0'
    return this.#portConflict.get({ protocol, hostIp, hostPort, any }) !== undefined
  }

  #rows(rows: unknown[]): EndpointRow[] {
    return (rows as RawEndpoint[]).map((row) => {
      // Without a link (networks host and none) there is nothing to have an address or a port.
      const hasLink = row.link !== null
      const addresses = hasLink ? (this.#addressesOf.all(row.id) as RawAddress[]) : []
      const addressOf = (family: number): bigint | undefined => {
        const found = addresses.find((entry) => entry.family === family)
        return found === undefined ? undefined : fromBlob(found.address)
      }
      return {
        ...row,
        link: row.link ?? undefined,
        aliases: JSON.parse(row.aliases) as string[],
        isGateway: row.isGateway !== 0,
        ipv4: addressOf(4),
        ipv6: addressOf(6),
        ports: hasLink ? this.#portsOfEndpoint(row.id) : [],
      }
    })
  }

  #portsOfEndpoint(id: string): PublishedPortRow[] {
    const ports = this.#portsOf.all(id) as PublishedPortRow[]
    return ports.sort((a, b) => comparePorts(a, b))
  }
}

function comparePorts(a: PublishedPortRow, b: PublishedPortRow): number {
  return (
    a.containerPort - b.containerPort ||
    compareText(a.protocol, b.protocol) ||
    a.hostPort - b.hostPort ||
    compareText(a.hostIp, b.hostIp)
  )
}

/** As SQLite's BINARY, for ASCII. */
function compareText(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}

interface RawAddress {
  readonly family: number
  readonly address: Buffer
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
> & {
  bridge: string | null
  isForeign: bigint
  isInternal: bigint
  isAttachable: bigint
  hasIpv6: bigint
  options: string
  labels: string
}

interface RawPool {
  networkId: string
  subnet: string
  gateway: string
  ipRange: string | null
  auxAddresses: string
  isExplicit: number
}

type RawEndpoint = Omit<
  EndpointRow,
  'link' | 'aliases' | 'isGateway' | 'ipv4' | 'ipv6' | 'ports'
> & {
  link: string | null
  aliases: string
  isGateway: number
}

function toBlob(value: bigint, family: 4 | 6): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex')
}

function fromBlob(blob: Buffer): bigint {
  return BigInt(`0x${blob.toString('hex')}`)
}
