import type { AnyRoute } from '../http/route.ts'
import { commandRoutes } from './command/index.ts'
import { containerRoutes } from './container/index.ts'
import { execRoutes } from './exec/index.ts'
import { imageRoutes } from './image/index.ts'
import { networkRoutes } from './network/index.ts'
import { secretRoutes } from './secret/index.ts'
import { swarmRoutes } from './swarm/index.ts'
import { systemRoutes } from './system/index.ts'
import { openApiRoute } from './system/openapi.ts'
import { volumeRoutes } from './volume/index.ts'

const apiRoutes: readonly AnyRoute[] = [
  ...containerRoutes,
  ...execRoutes,
  ...commandRoutes,
  ...imageRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...secretRoutes,
  ...systemRoutes,
  ...swarmRoutes,
]

/** All operations of the API. */
export const routes: readonly AnyRoute[] = [...apiRoutes, openApiRoute(apiRoutes)]
