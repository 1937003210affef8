import { randomInt } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import { interfaceIndex } from '@ctr/linux'
import { type EndpointRow, volatileTransaction } from '@ctr/store'
import { isLan } from '../lan/options.ts'
import { hasLinks, poolsOf } from '../network/network.ts'
import { allocateEndpoint, bareEndpoint, type ConnectOptions } from './allocate.ts'
import { assertReachable, type LinkOptions, parseLinkOptions } from './link-options.ts'
import type { EndpointParts } from './parts.ts'
import { type EndpointPlan, planEndpoint } from './plan.ts'
import { releaseEndpoints } from './release.ts'
import { resolverOn } from './resolver-at.ts'

/** An endpoint of a container that is about to start. */
export interface StartingEndpoint extends EndpointPlan {
  /** To be called in the transaction that says that the container runs. What holds something on the host is written down before. */
  readonly record: () => void
}

/** Allocates everything for a container that is about to start. */
export async function connectEndpoint(
  parts: EndpointParts,
  o: ConnectOptions,
): Promise<StartingEndpoint> {
  const network = parts.registry.get(o.network)
  if (o.isOnly === true && !hasLinks(network)) {
    const options = parseLinkOptions({ ...network.options, ...o.driverOptions })
    const { row, record } = bareEndpoint(parts, network, o)
    return { ...planEndpoint(row, network, undefined, { options }), record }
  }
  const { row, options } = reserveEndpoint(parts, o, { isRunning: false })
  try {
    const plan = await planReserved(parts, row, { options, isRunning: false })
    await parts.firewall?.publish(plan.publications)
    return { ...plan, record: () => undefined }
  } catch (error) {
    await releaseEndpoints(parts, [row])
    throw error
  }
}

/** Writes down what the endpoint has. Of a container that runs it is `isChanging`: see running.ts. */
export function reserveEndpoint(
  parts: EndpointParts,
  o: ConnectOptions,
  { isRunning }: { readonly isRunning: boolean },
): { row: EndpointRow; options: LinkOptions } {
  const network = parts.registry.get(o.network)
  const options = parseLinkOptions({ ...network.options, ...o.driverOptions })
  assertReachable(
    options,
    poolsOf(network).map(({ subnet }) => subnet),
  )
  if (options.hostName !== undefined && interfaceIndex(options.hostName) !== undefined) {
    throw new EngineError('CONFLICT', `link ${options.hostName} exists`)
  }
  const deps = { ...parts, networkOf: (id: string) => parts.registry.get(id) }
  const asked = { ...o, linkName: options.hostName, isChanging: isRunning }
  try {
    const row = volatileTransaction(parts.options.store, () =>
      allocateEndpoint(deps, network, asked),
    )
    parts.resolver.forget()
    return { row, options }
  } catch (error) {
    // What a rolled-back transaction had taken is free again.
    parts.lowestFree.forget()
    throw error
  }
}

export async function planReserved(
  parts: EndpointParts,
  row: EndpointRow,
  { options, isRunning }: { readonly options: LinkOptions; readonly isRunning: boolean },
): Promise<EndpointPlan> {
  const network = parts.registry.get(row.networkId)
  const above = isLan(network)
    ? await parts.parents.forUse(network)
    : await parts.bridges.indexOf(network)
  return planEndpoint(row, network, above, {
    resolver: resolverOn(parts, row, { isMoved: isRunning }),
    linkIndex: isRunning ? freeIndex() : undefined,
    options,
  })
}

/** Far from those that the kernel counts up; a second one of two daemons is not a thing that happens. */
function freeIndex(): number {
  return randomInt(2 ** 30, 2 ** 31 - 1)
}
