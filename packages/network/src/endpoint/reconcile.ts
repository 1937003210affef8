import { deleteLinks, isLinkDown, portsOfBridge } from '../bridge/link.ts'
import type { EndpointParts } from './parts.ts'
import { plugOps } from './plan.ts'
import { releaseEndpoints } from './release.ts'

/** Removes what belongs to no live container: rows, firewall elements, links on our bridges. Plugs in the containers whose checkpoint was interrupted. */
export async function reconcileEndpoints(
  parts: EndpointParts,
  liveContainerIds: ReadonlySet<string>,
): Promise<void> {
  const { endpoints, options } = parts
  const dead = endpoints.all().filter((row) => !liveContainerIds.has(row.containerId))
  await releaseEndpoints(parts, dead)
  await parts.firewall?.apply()
  const owned = new Set(endpoints.all().map((row) => row.link))
  const orphans = parts.bridges
    .all()
    .filter((network) => !network.isForeign)
    .flatMap((network) => portsOfBridge(network.bridge))
    .filter((link) => !owned.has(link))
  await deleteLinks(options.exec, orphans)
  const down = [...owned].flatMap((link) => (link !== undefined && isLinkDown(link) ? link : []))
  if (down.length > 0) await options.exec(down.flatMap((link) => plugOps(link, true)))
  if (dead.length === 0 && orphans.length === 0) return
  const containers = dead.map((row) => row.containerId)
  options.log.info({ containers, links: orphans }, 'network leftovers removed')
}
