import { EngineError, isErrno } from '@ctr/errdefs'
import { freezeCgroup, thawCgroup } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { containerCgroup } from './leftovers.ts'
import { noSuchContainer } from './registry.ts'

/** Freezes all processes of the container, those of its execs too. CONFLICT unless it runs. */
export async function pauseContainer(engine: Engine, reference: string): Promise<void> {
  const { id } = engine.containers.get(reference)
  await engine.queues.run(id, async () => {
    const container = engine.containers.byId(id)
    if (container === undefined) throw noSuchContainer(reference)
    const { state } = container
    if (state.status === 'paused') {
      throw new EngineError('CONFLICT', `container ${id} is already paused`)
    }
    if (state.status === 'restarting') {
      throw new EngineError(
        'CONFLICT',
        `container ${id} is restarting, wait until the container is running`,
      )
    }
    if (state.status !== 'running') {
      throw new EngineError('CONFLICT', `container ${id} is not running`)
    }
    const cgroup = containerCgroup(engine, container)
    await freezeCgroup(engine.host.cgroups, cgroup).catch((cause: unknown) => {
      if (!isErrno(cause, 'ENOENT', 'ENODEV')) throw cause
      // It has ended; the news is on its way.
      throw new EngineError('CONFLICT', `container ${id} is not running`, { cause })
    })
    try {
      engine.events.commit('volatile', () => {
        engine.containers.change(id, { state: { ...state, status: 'paused' } })
        engine.events.add(containerEvent(container, 'pause'))
      })
    } catch (error) {
      thawCgroup(engine.host.cgroups, cgroup)
      throw error
    }
  })
}

/** CONFLICT unless it is paused. */
export async function unpauseContainer(engine: Engine, reference: string): Promise<void> {
  const { id } = engine.containers.get(reference)
  await engine.queues.run(id, async () => {
    const container = engine.containers.byId(id)
    if (container === undefined) throw noSuchContainer(reference)
    const { state } = container
    if (state.status !== 'paused') {
      throw new EngineError('CONFLICT', `Container ${id} is not paused`)
    }
    const cgroup = containerCgroup(engine, container)
    thawCgroup(engine.host.cgroups, cgroup)
    try {
      engine.events.commit('volatile', () => {
        engine.containers.change(id, { state: { ...state, status: 'running' } })
        engine.events.add(containerEvent(container, 'unpause'))
      })
    } catch (error) {
      await freezeCgroup(engine.host.cgroups, cgroup)
      throw error
    }
  })
}
