import { Type } from '@ctr/api'
import { type AnyRoute, route } from '../../http/route.ts'
import { authRoute } from './auth.ts'
import { diskUsageRoute } from './disk-usage.ts'
import { eventsRoute } from './events.ts'
import { infoRoute } from './info.ts'
import { headPingRoute, pingRoute } from './ping.ts'
import { versionRoute } from './version.ts'

/** Managed plugins are out of scope: there are none. */
const listPluginsRoute = route({
  method: 'GET',
  path: '/plugins',
  summary: 'List plugins: none',
  query: { filters: 'string' },
  response: Type.Array(Type.Unknown()),
  handle: async () => [],
})

/** There is no builder, so its cache is empty: `docker system prune` asks for this too. */
const pruneBuildCacheRoute = route({
  method: 'POST',
  path: '/build/prune',
  summary: 'Remove the build cache: empty',
  query: { filters: 'string', all: 'boolean', 'keep-storage': 'string' },
  status: 200,
  response: Type.Unknown(),
  handle: async () => ({ CachesDeleted: null, SpaceReclaimed: 0 }),
})

export const systemRoutes: readonly AnyRoute[] = [
  authRoute,
  infoRoute,
  versionRoute,
  pingRoute,
  headPingRoute,
  eventsRoute,
  diskUsageRoute,
  listPluginsRoute,
  pruneBuildCacheRoute,
]
