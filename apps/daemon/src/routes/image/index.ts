import type { AnyRoute } from '../../http/route.ts'
import { buildImageRoute } from './build.ts'
import { commitContainerRoute } from './commit.ts'
import { createImageRoute } from './create.ts'
import { inspectDistributionRoute } from './distribution.ts'
import { imageHistoryRoute } from './history.ts'
import { inspectImageRoute } from './inspect.ts'
import { listImagesRoute } from './list.ts'
import { loadImagesRoute } from './load.ts'
import { pruneImagesRoute } from './prune.ts'
import { pushImageRoute } from './push.ts'
import { removeImageRoute } from './remove.ts'
import { saveImageRoute, saveImagesRoute } from './save.ts'
import { searchImagesRoute } from './search.ts'
import { tagImageRoute } from './tag.ts'

export const imageRoutes: readonly AnyRoute[] = [
  listImagesRoute,
  createImageRoute,
  inspectImageRoute,
  imageHistoryRoute,
  pushImageRoute,
  tagImageRoute,
  removeImageRoute,
  searchImagesRoute,
  pruneImagesRoute,
  commitContainerRoute,
  buildImageRoute,
  saveImageRoute,
  saveImagesRoute,
  loadImagesRoute,
  inspectDistributionRoute,
]
