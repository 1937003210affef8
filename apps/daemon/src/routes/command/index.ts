import type { AnyRoute } from '../../http/route.ts'
import { runCommandRoute } from './run.ts'

/** Ours: commands of `ctr`, as typed. */
export const commandRoutes: readonly AnyRoute[] = [runCommandRoute]
