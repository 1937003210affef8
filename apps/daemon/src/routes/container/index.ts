import type { AnyRoute } from '../../http/route.ts'
import { extractArchiveRoute, readArchiveRoute, statArchiveRoute } from './archive.ts'
import { attachContainerRoute, attachWebSocketRoute } from './attach.ts'
import { containerChangesRoute } from './changes.ts'
import {
  createCheckpointRoute,
  exportCheckpointRoute,
  importCheckpointRoute,
  listCheckpointsRoute,
  removeCheckpointRoute,
} from './checkpoints.ts'
import { createContainerRoute } from './create.ts'
import { explainContainerRoute } from './explain.ts'
import { exportContainerRoute } from './export.ts'
import { inspectContainerRoute } from './inspect.ts'
import { killContainerRoute } from './kill.ts'
import { listContainersRoute } from './list.ts'
import { containerLogsRoute } from './logs.ts'
import { pauseContainerRoute } from './pause.ts'
import { pruneContainersRoute } from './prune.ts'
import { removeContainerRoute } from './remove.ts'
import { renameContainerRoute } from './rename.ts'
import { resizeContainerRoute } from './resize.ts'
import { restartContainerRoute } from './restart.ts'
import { runContainerRoute } from './run.ts'
import { startContainerRoute } from './start.ts'
import { containerStatsRoute } from './stats.ts'
import { stopContainerRoute } from './stop.ts'
import { topContainerRoute } from './top.ts'
import { unpauseContainerRoute } from './unpause.ts'
import { updateContainerRoute } from './update.ts'
import { waitContainerRoute } from './wait.ts'

/** In the order of the API's documentation; ours at the end. */
export const containerRoutes: readonly AnyRoute[] = [
  listContainersRoute,
  createContainerRoute,
  inspectContainerRoute,
  topContainerRoute,
  containerLogsRoute,
  containerChangesRoute,
  exportContainerRoute,
  containerStatsRoute,
  resizeContainerRoute,
  startContainerRoute,
  stopContainerRoute,
  restartContainerRoute,
  killContainerRoute,
  updateContainerRoute,
  renameContainerRoute,
  pauseContainerRoute,
  unpauseContainerRoute,
  attachContainerRoute,
  attachWebSocketRoute,
  waitContainerRoute,
  removeContainerRoute,
  statArchiveRoute,
  readArchiveRoute,
  extractArchiveRoute,
  pruneContainersRoute,
  createCheckpointRoute,
  listCheckpointsRoute,
  removeCheckpointRoute,
  exportCheckpointRoute,
  importCheckpointRoute,
  explainContainerRoute,
  runContainerRoute,
]
