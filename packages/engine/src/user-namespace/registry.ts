import { EngineError } from '@ctr/errdefs'
import type { RuntimeIdMapping } from '@ctr/oci'
import type { IdMaps } from '@ctr/shim'
import type { UserNamespaceTable } from '@ctr/store'
import type { UserNamespacePlan } from './mode.ts'

/** Ranges of `auto` lie here: above what useradd(8) gives away, below what 32-bit programs misread. */
const FIRST_ID = 0x4000_0000
const END_ID = 0x7fff_0000

/** The id maps of containers, fixed at their creation: what is on their disks does not depend on them. */
export class UserNamespaceRegistry {
  readonly #table: UserNamespaceTable
  readonly #onRollback: (undo: () => void) => void
  readonly #maps = new Map<string, IdMaps>()

  constructor(table: UserNamespaceTable, onRollback: (undo: () => void) => void) {
    this.#table = table
    this.#onRollback = onRollback
    for (const row of table.all()) {
      const parse = (text: string): RuntimeIdMapping[] => JSON.parse(text) as RuntimeIdMapping[]
      this.#maps.set(row.containerId, { uids: parse(row.uidMap), gids: parse(row.gidMap) })
    }
  }

  /** Undefined: no user namespace of its own. */
  of(containerId: string): IdMaps | undefined {
    return this.#maps.get(containerId)
  }

  /** Inside the transaction that inserts the container. CONFLICT when no range is free. */
  insert(containerId: string, plan: UserNamespacePlan): void {
    if (plan.kind === 'none') return
    const own = plan.kind === 'own' ? this.#freeRange(plan.count) : undefined
    const maps = plan.kind === 'own' ? mapsOf(own ?? 0, plan.count) : plan.maps
    this.#table.insert({
      containerId,
      uidMap: JSON.stringify(maps.uids),
      gidMap: JSON.stringify(maps.gids),
      firstId: own ?? null,
      idCount: plan.kind === 'own' ? plan.count : null,
    })
    this.#maps.set(containerId, maps)
    this.#onRollback(() => this.#maps.delete(containerId))
  }

  /** Its row goes with the container's. */
  forget(containerId: string): void {
    const maps = this.#maps.get(containerId)
    if (maps === undefined) return
    this.#maps.delete(containerId)
    this.#onRollback(() => this.#maps.set(containerId, maps))
  }

  /** The maps that a container would get. */
  preview(plan: UserNamespacePlan): IdMaps | undefined {
    if (plan.kind === 'none') return undefined
    return plan.kind === 'maps' ? plan.maps : mapsOf(this.#freeRange(plan.count), plan.count)
  }

  #freeRange(count: number): number {
    let free = FIRST_ID
    for (const { firstId, idCount } of this.#table.all()) {
      if (firstId === null || idCount === null) continue
      if (firstId - free >= count) break
      free = firstId + idCount
    }
    if (free + count <= END_ID) return free
    throw new EngineError(
      'CONFLICT',
      `no ${count} free ids for a user namespace: remove containers`,
    )
  }
}

function mapsOf(hostID: number, size: number): IdMaps {
  const map = [{ containerID: 0, hostID, size }]
  return { uids: map, gids: map }
}
