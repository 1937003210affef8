import type { Statement } from 'better-sqlite3'
import { fromDocument, type KeptRow, toDocument } from './endpoint-document.ts'
import type { EndpointNames, EndpointRow, PublishedPortRow } from './endpoint-rows.ts'
import {
  comparePorts,
  compareText,
  fromBlob,
  isBare,
  type RawAddress,
  type RawEndpoint,
  toBlob,
} from './endpoint-values.ts'
import type { Store } from './open.ts'
import { canBePending, PendingEndpoints } from './pending-endpoints.ts'

const KNOWN_MAX = 2048

/**
 * What running containers hold: the tables of HELD_SCHEMA in memory, and for each endpoint a document in `kept_endpoints`, of which
 * they are made anew when the engine starts. Bare endpoints are in a map instead of the tables; others wait in one until somebody asks
 * the tables (`settle`).
 */
export class EndpointTable {
  readonly #store: Store
  /** Those that hold nothing on the host, by id: no name, address or port leads to them, so they are in no table. */
  readonly #bare = new Map<string, EndpointRow>()
  /** Neither here nor bare: in the tables. */
  readonly #pending = new PendingEndpoints()
  /** Ids of the rows that are in the tables. */
  #settled = new Set<string>()
  /** All containers that have an endpoint. */
  #holders = new Set<string>()
  /** Rows by container, of some of them: a start and its end ask half a dozen times. Only of `#holders`. */
  readonly #known = new Map<string, readonly EndpointRow[]>()
  readonly #insert: Statement
  readonly #insertAddress: Statement
  readonly #insertPort: Statement
  readonly #insertName: Statement
  readonly #keep: Statement
  readonly #unkeep: Statement
  readonly #keptOnly: Statement
  readonly #keepGateway: Statement
  readonly #keepChanging: Statement
  readonly #keepPorts: Statement
  readonly #keepName: Statement
  readonly #delete: Statement
  readonly #setGateway: Statement
  readonly #setChanging: Statement
  readonly #movePorts: Statement
  readonly #deletePorts: Statement
  readonly #rename: Statement
  readonly #select: Record<'all' | 'byContainer' | 'byNetwork', Statement>
  readonly #addressesOf: Statement
  readonly #portsOf: Statement
  readonly #addresses: Statement
  readonly #addressTaken: Statement
  readonly #portConflict: Statement
  readonly #containers: Statement
  readonly #ids: Statement

  constructor(store: Store) {
    this.#store = store
    const { db } = store
    const columns =
      'SELECT id, network_id AS networkId, container_id AS containerId, container_name AS containerName, interface, link, mac_address AS macAddress, aliases, is_gateway AS isGateway, gateway_priority AS gatewayPriority, is_changing AS isChanging FROM endpoints'
    this.#insert = db.prepare(
      'INSERT INTO endpoints (id, network_id, container_id, container_name, interface, link, mac_address, aliases, is_gateway, gateway_priority, is_changing, nameservers, links) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#insertAddress = db.prepare(
      'INSERT INTO addresses (network_id, family, address, endpoint_id) VALUES (?, ?, ?, ?)',
    )
    this.#insertPort = db.prepare(
      'INSERT INTO published_ports (protocol, host_port, host_ip, container_port, endpoint_id) VALUES (?, ?, ?, ?, ?)',
    )
    this.#insertName = db.prepare(
      'INSERT OR IGNORE INTO endpoint_names (network_id, name, endpoint_id) VALUES (?, ?, ?)',
    )
    this.#keep = db.prepare('INSERT INTO kept_endpoints (id, document) VALUES (?, ?)')
    this.#unkeep = db.prepare('DELETE FROM kept_endpoints WHERE id = ?')
    this.#keptOnly = db.prepare(
      'SELECT id, document FROM kept_endpoints WHERE id NOT IN (SELECT id FROM endpoints)',
    )
    this.#ids = db.prepare('SELECT id FROM endpoints').pluck()
    this.#keepGateway = db.prepare(
      "UPDATE kept_endpoints SET document = json_set(document, '$.isGateway', ?) WHERE id = ?",
    )
    this.#keepChanging = db.prepare(
      "UPDATE kept_endpoints SET document = json_set(document, '$.isChanging', ?) WHERE id = ?",
    )
    this.#keepPorts = db.prepare(
      "UPDATE kept_endpoints SET document = json_set(document, '$.ports', json(?)) WHERE id = ?",
    )
    this.#keepName = db.prepare(
      "UPDATE kept_endpoints SET document = json_set(document, '$.containerName', ?) WHERE id = ?",
    )
    this.#delete = db.prepare('DELETE FROM endpoints WHERE id = ?')
    this.#setGateway = db.prepare('UPDATE endpoints SET is_gateway = ? WHERE id = ?')
    this.#setChanging = db.prepare('UPDATE endpoints SET is_changing = ? WHERE id = ?')
    this.#movePorts = db.prepare('UPDATE published_ports SET endpoint_id = ? WHERE endpoint_id = ?')
    this.#deletePorts = db.prepare('DELETE FROM published_ports WHERE endpoint_id = ?')
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
    this.#load()
    store.onRollback(() => this.#forgetKnown())
  }

  /** Inside a transaction: an endpoint appears together with its addresses, ports and names. */
  insert(row: EndpointRow, names: EndpointNames): void {
    this.#hold(row, names)
    this.#keep.run(row.id, toDocument(row, names))
  }

  delete({ id, containerId }: Pick<EndpointRow, 'id' | 'containerId'>): void {
    if (this.#settled.delete(id)) this.#delete.run(id)
    else if (!this.#bare.delete(id)) this.#pending.delete(id)
    this.#unkeep.run(id)
    const rest = this.ofContainer(containerId).filter((row) => row.id !== id)
    if (rest.length > 0) this.#know(containerId, rest)
    else {
      this.#holders.delete(containerId)
      this.#known.delete(containerId)
    }
  }

  /** Nothing is pending any more: to be called by whoever reads the tables. */
  settle(): void {
    if (this.#pending.isEmpty) return
    const pending = this.#pending.values()
    this.#store.runInMemory(() => {
      for (const { row, names } of pending) this.#insertRow(row, names)
    })
    this.#pending.clear()
  }

  setGateway(id: string, isGateway: boolean): void {
    this.settle()
    this.#known.clear()
    this.#changeBare(id, { isGateway })
    this.#setGateway.run(Number(isGateway), id)
    this.#keepGateway.run(Number(isGateway), id)
  }

  setChanging(id: string, isChanging: boolean): void {
    this.settle()
    this.#known.clear()
    this.#changeBare(id, { isChanging })
    this.#setChanging.run(Number(isChanging), id)
    this.#keepChanging.run(Number(isChanging), id)
  }

  /** Inside a transaction: what one endpoint publishes is published by another one. */
  movePorts(from: string, to: string): void {
    this.settle()
    this.#known.clear()
    this.#movePorts.run(to, from)
    for (const id of [from, to]) {
      this.#keepPorts.run(JSON.stringify(this.#portsOfEndpoint(id)), id)
    }
  }

  /** Inside a transaction. */
  setPorts(id: string, ports: readonly PublishedPortRow[]): void {
    this.settle()
    this.#known.clear()
    this.#deletePorts.run(id)
    for (const port of ports) {
      this.#insertPort.run(port.protocol, port.hostPort, port.hostIp, port.containerPort, id)
    }
    this.#keepPorts.run(JSON.stringify(ports), id)
  }

  renameContainer(containerId: string, name: string): void {
    this.settle()
    for (const { id } of this.ofContainer(containerId)) {
      this.#changeBare(id, { containerName: name })
      this.#keepName.run(name, id)
    }
    this.#known.clear()
    this.#rename.run(name, containerId)
  }

  all(): EndpointRow[] {
    this.settle()
    const rows = [...this.#rows(this.#select.all.all()), ...this.#bare.values()]
    return rows.sort(
      (a, b) => compareText(a.containerId, b.containerId) || a.interface - b.interface,
    )
  }

  ofContainer(containerId: string): readonly EndpointRow[] {
    if (!this.#holders.has(containerId)) return []
    const known = this.#known.get(containerId)
    if (known !== undefined) return known
    this.settle()
    const bare = this.#bareWhere((row) => row.containerId === containerId)
    const rows = this.#rows(this.#select.byContainer.all(containerId))
    return this.#know(containerId, [...rows, ...bare])
  }

  ofNetwork(networkId: string): EndpointRow[] {
    this.settle()
    const bare = this.#bareWhere((row) => row.networkId === networkId)
    const rows = [...this.#rows(this.#select.byNetwork.all(networkId)), ...bare]
    return rows.sort((a, b) => compareText(a.containerName, b.containerName))
  }

  containerIds(): string[] {
    const bare = [...this.#bare.values()].map(({ containerId }) => containerId)
    const settled = this.#containers.all() as string[]
    return [...new Set([...settled, ...bare, ...this.#pending.containerIds()])]
  }

  /** Addresses in use from `from` upwards, in order; lazily, so that the search for a gap can stop early. */
  *addressesFrom(networkId: string, family: 4 | 6, from: bigint): Generator<bigint> {
    this.settle()
    for (const blob of this.#addresses.iterate(networkId, family, toBlob(from, family))) {
      yield fromBlob(blob as Buffer)
    }
  }

  isAddressTaken(networkId: string, family: 4 | 6, address: bigint): boolean {
    if (this.#pending.hasAddress(networkId, family, address)) return true
    if (this.#settled.size === 0) return false
    return this.#addressTaken.get(networkId, family, toBlob(address, family)) !== undefined
  }

  /** True when another endpoint has the port on this address, or either of the two is the wildcard of its family. */
  isPortTaken(protocol: string, hostIp: string, hostPort: number): boolean {
    const any = hostIp.includes(':') ? '::' : '0.0.0.0'
    // What is pending holds no port.
    return this.#portConflict.get({ protocol, hostIp, hostPort, any }) !== undefined
  }

  /** Another table of this store may have filled them before. */
  #load(): void {
    const { db } = this.#store
    db.exec('DELETE FROM endpoints')
    const rows = db.prepare('SELECT id, document FROM kept_endpoints').all() as KeptRow[]
    for (const { row, names } of rows.map(fromDocument)) this.#hold(row, names)
  }

  #know(containerId: string, rows: readonly EndpointRow[]): readonly EndpointRow[] {
    if (this.#known.size === KNOWN_MAX) this.#known.clear()
    const sorted = rows.toSorted((a, b) => a.interface - b.interface)
    this.#known.set(containerId, sorted)
    return sorted
  }

  /** What an open transaction has changed was rolled back. */
  #forgetKnown(): void {
    this.#known.clear()
    this.#bare.clear()
    this.#pending.clear()
    this.#settled = new Set(this.#ids.all() as string[])
    const rows = this.#keptOnly.all() as KeptRow[]
    for (const { row, names } of rows.map(fromDocument)) {
      if (isBare(row)) this.#bare.set(row.id, row)
      else this.#pending.add(row, names)
    }
    this.#holders = new Set(this.containerIds())
  }

  #changeBare(id: string, change: Partial<EndpointRow>): void {
    const row = this.#bare.get(id)
    if (row !== undefined) this.#bare.set(id, { ...row, ...change })
  }

  #bareWhere(isMeant: (row: EndpointRow) => boolean): EndpointRow[] {
    return [...this.#bare.values()].filter(isMeant)
  }

  #hold(row: EndpointRow, names: EndpointNames): void {
    const { containerId } = row
    const others = this.ofContainer(containerId)
    if (isBare(row)) this.#bare.set(row.id, row)
    else if (canBePending(row, others) && !this.#isAnyAddressTaken(row))
      this.#pending.add(row, names)
    else {
      // The tables refuse what contradicts another row.
      this.settle()
      this.#insertRow(row, names)
    }
    this.#holders.add(containerId)
    // The same object, if it can be: what is made of a row is kept with it.
    const ports = row.ports.toSorted((a, b) => comparePorts(a, b))
    this.#know(containerId, [...others, ports.length > 1 ? { ...row, ports } : row])
  }

  #isAnyAddressTaken({ networkId, ipv4, ipv6 }: EndpointRow): boolean {
    const isTaken = (family: 4 | 6, address: bigint | undefined): boolean =>
      address !== undefined && this.isAddressTaken(networkId, family, address)
    return isTaken(4, ipv4) || isTaken(6, ipv6)
  }

  #insertRow(row: EndpointRow, { names, nameservers, links }: EndpointNames): void {
    const { id, networkId, containerId } = row
    this.#settled.add(id)
    this.#insert.run(
      id,
      networkId,
      containerId,
      row.containerName,
      row.interface,
      row.link ?? null,
      row.macAddress,
      JSON.stringify(row.aliases),
      Number(row.isGateway),
      row.gatewayPriority,
      Number(row.isChanging),
      JSON.stringify(nameservers),
      JSON.stringify(links),
    )
    if (row.ipv4 !== undefined) this.#insertAddress.run(networkId, 4, toBlob(row.ipv4, 4), id)
    if (row.ipv6 !== undefined) this.#insertAddress.run(networkId, 6, toBlob(row.ipv6, 6), id)
    for (const port of row.ports) {
      this.#insertPort.run(port.protocol, port.hostPort, port.hostIp, port.containerPort, id)
    }
    for (const name of names) this.#insertName.run(networkId, name, id)
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
        isChanging: row.isChanging !== 0,
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
