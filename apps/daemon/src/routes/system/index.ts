import { parseFilters, Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { parseDuration } from '@ctr/options'
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

/** moby builder/builder-next/builder.go cacheFields */
const BUILD_CACHE_FILTERS = [
  'description',
  'id',
  'inuse',
  'label',
  'label!',
  'parent',
  'private',
  'shared',
  'type',
  'until',
  'unused-for',
]

function assertDuration(until: string): void {
  try {
    parseDuration(until)
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    throw new EngineError(
      'INVALID_ARGUMENT',
      `failed to prune build cache: "until" filter expects a duration (e.g., '24h'): ${reason}`,
    )
  }
}

function assertBytes(text = ''): void {
  if (text === '' || /^[-+]?\d+$/.test(text)) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `keep-storage is in bytes and expects an integer, got ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}

/** There is no builder, so its cache is empty: `docker system prune` asks for this too. */
const pruneBuildCacheRoute = route({
  method: 'POST',
  path: '/build/prune',
  summary: 'Remove the build cache: empty',
  query: { filters: 'string', all: 'boolean', 'keep-storage': 'string' },
  status: 200,
  response: Type.Unknown(),
  handle: async (_context, { query }) => {
    const filters = parseFilters(query.filters, BUILD_CACHE_FILTERS)
    for (const until of filters.get('until') ?? []) {
      assertDuration(until)
    }
    assertBytes(query['keep-storage'])
    return { CachesDeleted: null, SpaceReclaimed: 0 }
  },
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
