import { EngineError, errnoText } from '@ctr/errdefs'
import type { Op } from '@ctr/shim'
import type { EndpointPlan } from '../endpoint/plan.ts'

/** dockerd's words for a link on a parent that could not be made: a kernel without such links, a parent that another has. */
export function lanLinkError(
  endpoints: readonly Pick<EndpointPlan, 'driver' | 'hostOps'>[],
  failed: Op | undefined,
  errno: string,
): EngineError | undefined {
  if (failed?.op !== 'netlink') return undefined
  const isIt = (op: Op): boolean => op.op === 'netlink' && op.message === failed.message
  const endpoint = endpoints.find(({ hostOps }) => hostOps.some(isIt))
  if (endpoint === undefined || endpoint.driver === 'bridge') return undefined
  const reason = `failed to create the ${endpoint.driver} port: ${errnoText(errno)}`
  return new EngineError('INTERNAL', reason)
}
