import { type Criu, findCriu } from '@ctr/shim/criu'
import type { Engine } from '../engine.ts'

/** UNAVAILABLE, with what to do. */
export function findEngineCriu({ config }: Pick<Engine, 'config'>): Promise<Criu> {
  return findCriu(config.criuPath, 'criu-path in the configuration of ctrd')
}
