import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { isRunningForUser } from './state.ts'
import type { WaitResult } from './waiters.ts'

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

/** What `waitContainer` would say at once; undefined: there is something to wait for. NOT_FOUND. */
export function waitedAlready(
  engine: Pick<Engine, 'containers'>,
  reference: string,
  condition: WaitCondition,
): WaitResult | undefined {
  const { state } = engine.containers.get(reference)
  if (condition !== 'not-running' || isRunningForUser(state)) return undefined
  const { exitCode, error } = state
  return error === '' ? { exitCode } : { exitCode, error }
}

/**
 * Waits for a condition. The registration is done when this returns its promise, so a caller can tell its client that
 * it waits and miss nothing. CANCELLED through `signal`. NOT_FOUND is thrown at once.
 */
export function waitContainer(
  engine: Pick<Engine, 'containers' | 'waiters'>,
  reference: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const result = waitedAlready(engine, reference, condition)
  if (result !== undefined) return Promise.resolve(result)
  const { id } = engine.containers.get(reference)
  const what = condition === 'removed' ? 'removal' : 'exit'
  const { promise: cancelled, reject } = Promise.withResolvers<never>()
  const cancel = (): void => reject(new EngineError('CANCELLED', 'the client went away'))
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  const waiting = engine.waiters.add(id, what, signal)
  return Promise.race([waiting, cancelled]).finally(() =>
    signal.removeEventListener('abort', cancel),
  )
}
