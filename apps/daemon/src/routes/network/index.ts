import type { AnyRoute } from '../../http/route.ts'
import { connectNetworkRoute } from './connect.ts'
import { createNetworkRoute } from './create.ts'
import { disconnectNetworkRoute } from './disconnect.ts'
import { inspectNetworkRoute } from './inspect.ts'
import { listNetworksRoute } from './list.ts'
import { pruneNetworksRoute } from './prune.ts'
import { removeNetworkRoute } from './remove.ts'

export const networkRoutes: readonly AnyRoute[] = [
  listNetworksRoute,
  inspectNetworkRoute,
  removeNetworkRoute,
  createNetworkRoute,
  connectNetworkRoute,
  disconnectNetworkRoute,
  pruneNetworksRoute,
]
