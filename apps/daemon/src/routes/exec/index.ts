import type { AnyRoute } from '../../http/route.ts'
import { attachExecRoute } from './attach.ts'
import { createExecRoute } from './create.ts'
import { inspectExecRoute } from './inspect.ts'
import { killExecRoute } from './kill.ts'
import { listExecsRoute } from './list.ts'
import { resizeExecRoute } from './resize.ts'
import { runExecRoute } from './run.ts'
import { startExecRoute, startExecWebSocketRoute } from './start.ts'
import { keepExecRoute, waitExecRoute } from './wait.ts'

export const execRoutes: readonly AnyRoute[] = [
  createExecRoute,
  runExecRoute,
  startExecRoute,
  resizeExecRoute,
  inspectExecRoute,
  startExecWebSocketRoute,
  listExecsRoute,
  attachExecRoute,
  killExecRoute,
  waitExecRoute,
  keepExecRoute,
]
