import type { Engine } from '../engine.ts'
import { startInQueue } from './start.ts'

/** The next run of a container that waits for one. A failure is in its state, and ends the series. */
export function startByPolicy(engine: Engine, id: string): Promise<void> {
  return engine.queues.run(id, async () => {
    if (engine.containers.byId(id)?.state.status !== 'restarting') return
    try {
      await startInQueue(engine, id, { cause: 'policy' })
    } catch (err) {
      engine.log.warn({ containerId: id, err }, 'restart policy: start failed')
    }
  })
}
