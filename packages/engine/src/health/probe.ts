import type { Duplex } from 'node:stream'
import type { Engine } from '../engine.ts'
import { createExec } from '../exec/create.ts'
import { startExec } from '../exec/start.ts'
import type { HealthCheck } from './check.ts'
import { goDuration } from './go-duration.ts'
import type { ProbeResult } from './health.ts'
import { killTree } from './kill-tree.ts'
import { ProbeOutput } from './output.ts'

/** For the end of a probe that was killed. */
const KILL_GRACE_MS = 5_000

/**
 * Runs a health check once, as an exec of the container. Undefined after `signal`: the container does not run (any
 * more), or the engine ends. The exec's id is told as soon as there is one.
 */
export async function runProbe(
  engine: Engine,
  containerId: string,
  check: HealthCheck,
  signal: AbortSignal,
  onExec: (execId: string) => void,
): Promise<ProbeResult | undefined> {
  const startNs = engine.clock.nowNs()
  const outcome = await probe(engine, containerId, check, signal, onExec).catch(
    // Docker shows why a probe could not run as its output.
    (error: unknown) => ({
      exitCode: -1,
      output: error instanceof Error ? error.message : String(error),
    }),
  )
  if (signal.aborted) return undefined
  return { startNs, endNs: engine.clock.nowNs(), ...outcome }
}

async function probe(
  engine: Engine,
  containerId: string,
  check: HealthCheck,
  signal: AbortSignal,
  onExec: (execId: string) => void,
): Promise<Pick<ProbeResult, 'exitCode' | 'output'>> {
  const execId = await createExec(engine, containerId, {
    Cmd: [...check.command],
    AttachStdout: true,
    AttachStderr: true,
  })
  onExec(execId)
  const output = new ProbeOutput()
  using end = watchEnd(engine, execId)
  using deadline = watchDeadline(engine, check.timeoutNs, signal)
  let isLate = false
  const ran = run(engine, execId, output, () => {
    if (isLate) killExec(engine, execId)
  }).then(() => end.exitCode)
  // Its failure counts only if it comes first.
  ran.catch(() => undefined)
  const exitCode = await Promise.race([ran, deadline.over])
  if (exitCode !== undefined) return { exitCode, output: output.toString() }
  // One that has not begun by now is killed as soon as it has.
  isLate = true
  killExec(engine, execId)
  using grace = watchDeadline(engine, BigInt(KILL_GRACE_MS) * 1_000_000n, signal)
  await Promise.race([ran.catch(() => undefined), grace.over])
  const text = output.toString()
  return {
    exitCode: -1,
    output: `Health check exceeded timeout (${goDuration(check.timeoutNs)})${text === '' ? '' : `: ${text}`}`,
  }
}

/** Resolves when all output was read. */
async function run(
  engine: Engine,
  execId: string,
  output: ProbeOutput,
  onStarted: () => void,
): Promise<void> {
  const session = await startExec(engine, execId, { detach: false, tty: false })
  const failure = await session?.failure
  if (failure !== undefined) throw failure
  const stream = await session?.stream
  onStarted()
  if (stream !== undefined) await collect(stream, output)
}

async function collect(stream: Duplex, output: ProbeOutput): Promise<void> {
  stream.end()
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) output.push(chunk)
  } finally {
    stream.destroy()
  }
}

/** The exec's end, whenever it comes: registered before the start. */
function watchEnd(engine: Engine, execId: string): Disposable & { exitCode: Promise<number> } {
  const { promise, resolve } = Promise.withResolvers<number>()
  const listening = engine.events.listen(({ action, attributes }) => {
    if (action !== 'exec_die' || attributes['execID'] !== execId) return
    resolve(Number(attributes['exitCode']))
  })
  return { exitCode: promise, [Symbol.dispose]: () => listening[Symbol.dispose]() }
}

/** `over` resolves at the deadline or with `signal`. */
function watchDeadline(
  engine: Engine,
  timeoutNs: bigint,
  signal: AbortSignal,
): Disposable & { over: Promise<undefined> } {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const stop = (): void => resolve(undefined)
  const timer = engine.clock.after(Number(timeoutNs) / 1e6, stop)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  return {
    over: promise,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]()
      signal.removeEventListener('abort', stop)
    },
  }
}

/** Also of a probe that an engine before this one has begun. */
export function killExec(engine: Pick<Engine, 'execs' | 'log'>, execId: string): void {
  const state = engine.execs.find(execId)?.state
  if (state?.status !== 'running') return
  try {
    killTree(state.pid, state.startTime)
  } catch (err) {
    engine.log.warn({ execId, err }, 'kill a health probe')
  }
}
