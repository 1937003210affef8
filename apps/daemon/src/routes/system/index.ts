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

export const systemRoutes: readonly AnyRoute[] = [
  authRoute,
  infoRoute,
  versionRoute,
  pingRoute,
  headPingRoute,
  eventsRoute,
  diskUsageRoute,
  listPluginsRoute,
]
