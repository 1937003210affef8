import type { Statement } from 'better-sqlite3'
import type { EndpointTable } from './endpoints.ts'
import type { Store } from './open.ts'

/** A network that a container is attached to. */
export interface AttachmentRow {
  readonly networkId: string
  readonly nameservers: readonly string[]
  readonly links: Readonly<Record<string, string>>
}

/** Questions about names and addresses to the tables of EndpointTable, which writes them. */
export class NameTable {
  readonly #endpoints: Pick<EndpointTable, 'settle'>
  readonly #containerAt: Statement
  readonly #attachments: Statement
  readonly #find: Statement
  readonly #nameAt: Statement

  constructor(store: Store, endpoints: Pick<EndpointTable, 'settle'>) {
    const { db } = store
    this.#endpoints = endpoints
    this.#containerAt = db
      .prepare(
        'SELECT container_id FROM addresses JOIN endpoints ON endpoints.id = endpoint_id WHERE addresses.network_id = ? AND family = ? AND address = ?',
      )
      .pluck()
    // The order of Docker: the way out first, then by name.
    this.#attachments = db.prepare(
      'SELECT network_id AS networkId, nameservers, endpoints.links AS links FROM endpoints JOIN networks ON networks.id = network_id WHERE container_id = ? ORDER BY is_gateway DESC, networks.name',
    )
    this.#find = db.prepare(
      `SELECT family, address FROM addresses WHERE endpoint_id IN (
         SELECT endpoint_id FROM endpoint_names WHERE network_id = @networkId AND name = @name
         UNION SELECT id FROM endpoints WHERE network_id = @networkId AND container_name = @name COLLATE NOCASE
         UNION SELECT id FROM endpoints WHERE network_id = @networkId AND substr(container_id, 1, 12) = @name
       ) ORDER BY family, address`,
    )
    this.#nameAt = db
      .prepare(
        'SELECT container_name FROM addresses JOIN endpoints ON endpoints.id = endpoint_id WHERE addresses.network_id = ? AND family = ? AND address = ?',
      )
      .pluck()
  }

  /** Id of the container that has the address (4 or 16 bytes) on the network. */
  containerAt(networkId: string, address: Uint8Array): string | undefined {
    this.#endpoints.settle()
    return this.#containerAt.get(networkId, familyOf(address), address) as string | undefined
  }

  attachments(containerId: string): AttachmentRow[] {
    this.#endpoints.settle()
    return (this.#attachments.all(containerId) as RawAttachment[]).map((row) => ({
      networkId: row.networkId,
      nameservers: JSON.parse(row.nameservers) as string[],
      links: JSON.parse(row.links) as Record<string, string>,
    }))
  }

  /** Addresses (4 or 16 bytes) of the endpoints with this name in lower case; empty when nobody has it. */
  find(networkId: string, name: string): Buffer[] {
    this.#endpoints.settle()
    return (this.#find.all({ networkId, name }) as { address: Buffer }[]).map((row) => row.address)
  }

  /** Name of the container that has the address on the network. */
  nameAt(networkId: string, address: Uint8Array): string | undefined {
    this.#endpoints.settle()
    return this.#nameAt.get(networkId, familyOf(address), address) as string | undefined
  }
}

interface RawAttachment {
  networkId: string
  nameservers: string
  links: string
}

function familyOf(address: Uint8Array): 4 | 6 {
  return address.length === 4 ? 4 : 6
}
