import type { AnyRoute } from '../../http/route.ts'
import { createExecRoute } from './create.ts'
import { inspectExecRoute } from './inspect.ts'
import { killExecRoute } from './kill.ts'
import { resizeExecRoute } from './resize.ts'
import { startExecRoute, startExecWebSocketRoute } from './start.ts'

export const execRoutes: readonly AnyRoute[] = [
  createExecRoute,
  startExecRoute,
  resizeExecRoute,
  inspectExecRoute,
  startExecWebSocketRoute,
  killExecRoute,
]
