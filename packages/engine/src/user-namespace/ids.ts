import type { RuntimeIdMapping } from '@ctr/oci'

/** What the kernel shows for an id without a name in a user namespace. /proc/sys/kernel/overflowuid */
const OVERFLOW_ID = 65_534

/** As the container sees it. */
export function insideId(id: number, map: readonly RuntimeIdMapping[] | undefined): number {
  if (map === undefined) return id
  const range = map.find(({ hostID, size }) => id >= hostID && id < hostID + size)
  return range === undefined ? OVERFLOW_ID : range.containerID + (id - range.hostID)
}

/** As the host sees it; an id that the container does not have becomes its root's. */
export function outsideId(id: number, map: readonly RuntimeIdMapping[] | undefined): number {
  if (map === undefined) return id
  const range = map.find(({ containerID, size }) => id >= containerID && id < containerID + size)
  if (range !== undefined) return range.hostID + (id - range.containerID)
  return id === 0 ? id : outsideId(0, map)
}
