import type { Engine } from '../engine.ts'
import { scheduleRestart } from './exit.ts'
import { startInQueue } from './start.ts'

const RETRY_MS = 1000

/** The next run of a container that waits for one. A failure is in its state, and ends the series. */
export function startByPolicy(engine: Engine, id: string): Promise<void> {
  return engine.queues.run(id, async () => {
    if (engine.containers.byId(id)?.state.status !== 'restarting') return
    try {
      await startInQueue(engine, id, { cause: 'policy' })
    } catch (err) {
      engine.log.warn({ containerId: id, err }, 'restart policy: start failed')
      // Not even that could be recorded.
      const container = engine.containers.byId(id)
      if (container?.state.status === 'restarting' && !engine.isClosing()) {
        scheduleRestart(engine, id, Math.max(container.bookkeeping.restartDelayMs, RETRY_MS))
      }
    }
  })
}
