import { EngineError } from '@ctr/errdefs'
import { isRunningForUser } from '../container/state.ts'
import type { WaitResult } from '../container/waiters.ts'
import type { Engine } from '../engine.ts'
import { healthCheckOf } from './check.ts'
import type { Health } from './health.ts'

export type HealthCondition = 'healthy' | 'unhealthy'

/**
 * Waits for a verdict on a container's health: exit code 0. If its run ends before: the run's exit code and an error
 * that says so. Registered when this returns, as `waitContainer`. INVALID_ARGUMENT without a health check; CANCELLED.
 */
export function waitForHealth(
  engine: Pick<Engine, 'containers' | 'waiters' | 'health'>,
  reference: string,
  condition: HealthCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const { id, name, config, state } = engine.containers.get(reference)
  if (healthCheckOf(config) === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `container ${name} has no health check`)
  }
  const isRunning = isRunningForUser(state)
  if (isRunning && engine.health.of(id)?.status === condition)
    return Promise.resolve({ exitCode: 0 })
  // A container that is still to be started is waited for; one that has ended will not become healthy by itself.
  if (!isRunning && state.startedAtNs !== 0n) {
    return Promise.resolve({ exitCode: state.exitCode, error: endedBefore(name, condition) })
  }
  const stack = new DisposableStack()
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>()
  const judge = ({ status }: Health): void => {
    // What becomes unhealthy because it has ended is reported by its exit.
    const isAlive = isRunningForUser(engine.containers.byId(id)?.state ?? state)
    if (status === condition && isAlive) resolve({ exitCode: 0 })
  }
  stack.use(engine.health.listen(id, judge))
  const cancel = (): void => reject(new EngineError('CANCELLED', 'the client went away'))
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel, { once: true })
  stack.defer(() => signal.removeEventListener('abort', cancel))
  const ended = new AbortController()
  stack.defer(() => ended.abort())
  void engine.waiters
    .add(id, 'attempt', ended.signal)
    .then(({ exitCode, error }) =>
      resolve({ exitCode, error: error ?? endedBefore(name, condition) }),
    )
  return promise.finally(() => stack.dispose())
}

function endedBefore(name: string, condition: HealthCondition): string {
  return `container ${name} has ended before it was ${condition}`
}
