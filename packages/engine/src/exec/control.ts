import { EngineError } from '@ctr/errdefs'
import { parseSignal } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import type { Exec } from './registry.ts'

/** NOT_FOUND. Waits for nobody. */
export function getExec(engine: Pick<Engine, 'execs'>, reference: string): Exec {
  return engine.execs.get(reference)
}

/** CONFLICT unless it runs. */
export async function resizeExec(
  engine: Pick<Engine, 'execs' | 'shims'>,
  reference: string,
  rows: number,
  columns: number,
): Promise<void> {
  await connectionOf(engine, reference).resize(rows, columns)
}

/** CONFLICT unless it runs; INVALID_ARGUMENT (no such signal). */
export async function signalExec(
  engine: Pick<Engine, 'execs' | 'shims'>,
  reference: string,
  signal: string,
): Promise<void> {
  const number = parseSignal(signal)
  if (number === undefined) throw new EngineError('INVALID_ARGUMENT', `invalid signal: ${signal}`)
  await connectionOf(engine, reference).signal(number)
}

function connectionOf(
  engine: Pick<Engine, 'execs' | 'shims'>,
  reference: string,
): NonNullable<ReturnType<Engine['shims']['get']>> {
  const { id, state } = engine.execs.get(reference)
  const connection = engine.shims.get(id)
  if (connection === undefined && state.status === 'running') {
    throw new EngineError('INTERNAL', `the shim of exec ${id} does not answer`)
  }
  if (connection === undefined) throw new EngineError('CONFLICT', `exec ${id} is not running`)
  return connection
}
