import type { AnyRoute } from '../../http/route.ts'
import { createVolumeRoute } from './create.ts'
import { inspectVolumeRoute } from './inspect.ts'
import { listVolumesRoute } from './list.ts'
import { pruneVolumesRoute } from './prune.ts'
import { removeVolumeRoute } from './remove.ts'

export const volumeRoutes: readonly AnyRoute[] = [
  listVolumesRoute,
  createVolumeRoute,
  inspectVolumeRoute,
  removeVolumeRoute,
  pruneVolumesRoute,
]
