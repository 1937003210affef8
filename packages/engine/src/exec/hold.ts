import { EngineError } from '@ctr/errdefs'
import { signalProcess } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import { processTree } from '../health/kill-tree.ts'
import type { Exec } from './registry.ts'

const SIGHUP = 1
const SIGKILL = 9
/** From the hang-up to the kill of what has not heeded it. */
const HANGUP_GRACE_MS = 2_000

/**
 * The exit code of an exec, whenever it ends. Registered when this returns its promise. With `isHeld` the exec belongs
 * to the caller: when `signal` ends the wait first, the exec is hung up, unless it was given free (`keepExec`).
 * NOT_FOUND (also when its container goes), CANCELLED.
 */
export function waitExec(
  engine: Engine,
  reference: string,
  isHeld: boolean,
  signal: AbortSignal,
): Promise<number> {
  const { id, state } = engine.execs.get(reference)
  if (state.status === 'exited') return Promise.resolve(state.exitCode)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const watching = engine.execs.watch(id, (exec) => {
    if (exec === undefined) reject(new EngineError('NOT_FOUND', `No such exec instance: ${id}`))
    else if (exec.state.status === 'exited') resolve(exec.state.exitCode)
  })
  const leave = (): void => {
    if (isHeld && !engine.execs.isKept(id)) hangUpSoon(engine, id)
    reject(new EngineError('CANCELLED', 'the client went away'))
  }
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return promise.finally(() => {
    watching[Symbol.dispose]()
    signal.removeEventListener('abort', leave)
  })
}

/** Its client leaves on purpose (detach keys): the exec goes on without it. NOT_FOUND. */
export function keepExec(engine: Pick<Engine, 'execs'>, reference: string): void {
  engine.execs.keep(engine.execs.get(reference).id)
}

/** Now, or when its process runs: the client may go while it is being started. */
function hangUpSoon(engine: Engine, id: string): void {
  const exec = engine.execs.find(id)
  if (exec === undefined) return
  if (exec.state.status !== 'created') {
    hangUp(engine, exec)
    return
  }
  if (!engine.startingExecs.has(id)) return
  const watching = engine.execs.watch(id, (changed) => {
    watching[Symbol.dispose]()
    if (changed !== undefined) hangUp(engine, changed)
  })
}

/** As a terminal that is torn away: SIGHUP to the process and what it has started, SIGKILL to what is left then. */
function hangUp(engine: Engine, { id, state }: Exec): void {
  if (state.status !== 'running') return
  engine.log.info({ execId: id }, 'the client of an exec has gone: hang-up')
  const processes = processTree(state.pid, state.startTime)
  for (const [pid, startTime] of processes) signalProcess(pid, startTime, SIGHUP)
  engine.timers.set(
    id,
    engine.clock.after(HANGUP_GRACE_MS, () => {
      engine.timers.delete(id)
      const later = processTree(state.pid, state.startTime)
      for (const [pid, startTime] of [...processes, ...later]) {
        signalProcess(pid, startTime, SIGKILL)
      }
    }),
  )
}
