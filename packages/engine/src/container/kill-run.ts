import { thawCgroup } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent } from './container-event.ts'
import { deliver, hasEnded } from './kill.ts'
import { containerCgroup } from './leftovers.ts'

const SIGKILL = 9

/** Ends a run from within the engine. It counts as a failure of the container, not as a wish: its restart policy holds. */
export async function killRun(
  engine: Engine,
  container: ContainerRecord,
  reason: string,
): Promise<void> {
  const { id } = container
  engine.events.emit(containerEvent(container, 'kill', { signal: String(SIGKILL), reason }))
  try {
    await deliver(engine, container, SIGKILL)
  } catch (error) {
    // It has ended by itself.
    if (!hasEnded(error)) throw error
  }
  if (engine.containers.byId(id)?.state.status === 'paused') {
    thawCgroup(engine.host.cgroups, containerCgroup(engine, container))
  }
}
