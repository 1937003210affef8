import { isEngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { startInQueue } from './start.ts'
import { type StopOptions, stopRun } from './stop.ts'

/** Stop (if it runs), then start. With --rm the container stays in between. */
export async function restartContainer(
  engine: Engine,
  reference: string,
  options: StopOptions,
): Promise<void> {
  const { id } = engine.containers.get(reference)
  engine.restarting.add(id)
  try {
    await stopRun(engine, id, options)
    engine.waiters.assertRecorded(id)
    await engine.queues.run(id, () => startInQueue(engine, id, { cause: 'user' }))
  } catch (error) {
    // Another restart was faster.
    if (!isEngineError(error, 'NOT_MODIFIED')) throw error
  } finally {
    engine.restarting.delete(id)
  }
  const container = engine.containers.byId(id)
  if (container !== undefined) engine.events.emit(containerEvent(container, 'restart'))
}
