import type { ContainerRecord } from '../container/container.ts'
import { killRun } from '../container/kill-run.ts'
import { restartContainer } from '../container/restart.ts'
import { stopContainer } from '../container/stop.ts'
import type { Engine } from '../engine.ts'
import { HEALTH_ACTIONS } from './actions.ts'

/** `kill` leaves what follows to the restart policy; `stop` does not. */
export function actOnUnhealthy(engine: Engine, container: ContainerRecord): void {
  const { id } = container
  const asked = container.hostConfig.HealthOnFailure
  const action = HEALTH_ACTIONS.find((known) => known === asked) ?? 'none'
  if (action === 'none') return
  engine.log.info({ containerId: id, action }, 'unhealthy')
  engine.background.run('act on an unhealthy container', id, async () => {
    switch (action) {
      case 'kill':
        return await killRun(engine, container, 'unhealthy')
      case 'restart':
        return await restartContainer(engine, id, {})
      case 'stop':
        return await stopContainer(engine, id, {})
    }
  })
}
