import { setTimeout as delay } from 'node:timers/promises'
import { EngineError } from '@ctr/errdefs'
import { processStatus } from '@ctr/linux'
import { parseSignal } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { cancelRestart, killAndWait, sendSignal, stopSignalOf } from './kill.ts'
import { isAlive, isRunningForUser } from './state.ts'

export interface StopOptions {
  /** Grace before SIGKILL; negative: for ever. Default: the container's, then the engine's (10). */
  readonly timeoutSeconds?: number
  /** Instead of the container's StopSignal. */
  readonly signal?: string
}

/** Stop signal, grace, SIGKILL. NOT_MODIFIED when it does not run. */
export async function stopContainer(
  engine: Engine,
  reference: string,
  options: StopOptions,
): Promise<void> {
  const container = engine.containers.get(reference)
  if (!isRunningForUser(container.state)) {
    throw new EngineError('NOT_MODIFIED', `container ${container.id} is already stopped`)
  }
  await stopRun(engine, container.id, options)
}

/** For `stop` and `restart`; nothing to do when it does not run. */
export async function stopRun(engine: Engine, id: string, options: StopOptions): Promise<void> {
  const signal = options.signal ?? ''
  const number = signal === '' ? undefined : parseSignal(signal)
  if (signal !== '' && number === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `invalid signal: ${signal}`)
  }
  const controller = new AbortController()
  const exited = engine.waiters.add(id, 'attempt', controller.signal)
  try {
    const grace = await engine.queues.run(id, () => signalStop(engine, id, options, number))
    if (grace === undefined) return
    const { graceMs, silent } = grace
    const isOver = await Promise.race([
      exited.then(() => true),
      graceOver(engine, graceMs, controller.signal),
      ...(silent === undefined ? [] : [endWithoutWord(silent, controller.signal)]),
    ])
    if (!isOver) {
      engine.log.info({ containerId: id, graceMs }, 'still runs after its grace, killing it')
      await killAndWait(engine, id)
    }
    const stopped = engine.containers.byId(id)
    if (stopped !== undefined) engine.events.emit(containerEvent(stopped, 'stop'))
  } finally {
    controller.abort()
  }
}

interface Grace {
  readonly graceMs: number
  /** The process, if its shim does not answer. */
  readonly silent: { readonly pid: number; readonly startTime: bigint } | undefined
}

/** Undefined when there is nothing to wait for. */
async function signalStop(
  engine: Engine,
  id: string,
  options: StopOptions,
  signal: number | undefined,
): Promise<Grace | undefined> {
  const container = engine.containers.byId(id)
  if (container === undefined) return undefined
  if (container.state.status === 'restarting') {
    cancelRestart(engine, container)
    return undefined
  }
  const { state } = container
  if (!isAlive(state)) return undefined
  const seconds =
    options.timeoutSeconds ??
    container.config.StopTimeout ??
    engine.config.defaultStopTimeoutSeconds
  const graceMs = seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000
  const killAtNs = Number.isFinite(graceMs)
    ? engine.clock.monotonicNs() + BigInt(Math.trunc(graceMs)) * 1_000_000n
    : 0n
  const { isShimSilent } = await sendSignal(engine, container, signal ?? stopSignalOf(container), {
    endsPolicy: true,
    killAtNs,
  })
  return { graceMs, silent: isShimSilent ? state : undefined }
}

const LOOK_MS = 100

/** The process is a zombie that nobody reaps: there is nothing to be gained from the rest of the grace. */
async function endWithoutWord(
  process: { readonly pid: number; readonly startTime: bigint },
  ended: AbortSignal,
): Promise<false> {
  while (!ended.aborted) {
    const status = processStatus(process.pid)
    if (status?.startTime !== process.startTime || status.state === 'Z') break
    await delay(LOOK_MS)
  }
  return false
}

function graceOver(engine: Engine, graceMs: number, ended: AbortSignal): Promise<false> {
  const { promise, resolve } = Promise.withResolvers<false>()
  if (!Number.isFinite(graceMs)) return promise
  const timer = engine.clock.after(graceMs, () => resolve(false))
  ended.addEventListener('abort', () => timer[Symbol.dispose](), { once: true })
  return promise
}
