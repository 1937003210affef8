import type { Duplex } from 'node:stream'
import { EngineError, isEngineError } from '@ctr/errdefs'
import { processStatus } from '@ctr/linux'
import {
  type ExecInput,
  type ExitRecord,
  type ShimConnection,
  ShimError,
  type StreamingConnection,
} from '@ctr/shim'
import { isStorageError } from '@ctr/store'
import type { AttachSession } from '../container/attach.ts'
import type { ContainerRecord } from '../container/container.ts'
import { containerEvent } from '../container/container-event.ts'
import { endUnrecorded } from '../container/end-unrecorded.ts'
import { SHIM_DIED_EXIT_CODE } from '../container/exit.ts'
import { launch } from '../container/launch.ts'
import { type PendingAttachment, wantsStreams } from '../container/pending-attachments.ts'
import { execRuntimeDir, makeRuntimeDir, vacateRuntimeDir } from '../container/runtime-dir.ts'
import { describeStartFailure, UNKNOWN_FAILURE } from '../container/start-error.ts'
import { isAlive } from '../container/state.ts'
import { untilRecorded } from '../container/until-recorded.ts'
import type { Engine } from '../engine.ts'
import { removeTree } from '../remove-tree.ts'
import { assertCanExec, execAction } from './create.ts'
import { execProgram } from './program.ts'
import type { Exec } from './registry.ts'

export interface ExecStartOptions {
  /** No streams: the process runs on its own. */
  readonly detach: boolean
  /** Must agree with the creation's. */
  readonly tty: boolean
  readonly consoleSize?: { readonly rows: number; readonly columns: number }
}

/**
 * Runs the process of an exec. Not detached it gives a session as soon as the request is known to be good; `failure` of
 * it tells why its stream never came. CONFLICT when it was started before, or the container is paused; NOT_FOUND when the
 * container has ended.
 */
export async function startExec(
  engine: Engine,
  reference: string,
  options: ExecStartOptions,
): Promise<ExecSession | undefined> {
  const exec = engine.execs.get(reference)
  const container = engine.containers.get(exec.containerId)
  assertCanExec(container)
  assertNotStarted(engine, exec)
  engine.startingExecs.add(exec.id)
  if (options.detach) {
    await runExec(engine, exec, options, undefined)
    return undefined
  }
  const { promise, resolve } = Promise.withResolvers<Duplex | undefined>()
  const streams = {
    stdin: exec.config.AttachStdin === true,
    stdout: exec.config.AttachStdout === true,
    stderr: exec.config.AttachStderr === true,
  }
  const attachment = wantsStreams(streams) ? { streams, resolve } : undefined
  const failure = runExec(engine, exec, options, attachment).then(
    () => undefined,
    (error: unknown) => {
      if (isEngineError(error)) return error
      const message = error instanceof Error ? error.message : String(error)
      return new EngineError('INTERNAL', message, { cause: error })
    },
  )
  return {
    hasTty: exec.config.Tty === true,
    logs: undefined,
    stream: attachment === undefined ? failure.then(() => undefined) : promise,
    failure,
    close: () => undefined,
  }
}

function assertNotStarted(engine: Engine, exec: Exec): void {
  if (exec.state.status === 'exited') {
    throw new EngineError('CONFLICT', `Error: Exec command ${exec.id} has already run`)
  }
  if (exec.state.status === 'running' || engine.startingExecs.has(exec.id)) {
    throw new EngineError('CONFLICT', `Error: Exec command ${exec.id} is already running`)
  }
}

export interface ExecSession extends AttachSession {
  /** Resolves when the process runs (undefined) or could not be run (why). */
  readonly failure: Promise<EngineError | undefined>
}

async function runExec(
  engine: Engine,
  exec: Exec,
  options: ExecStartOptions,
  attachment: PendingAttachment | undefined,
): Promise<void> {
  try {
    await launchExec(engine, exec, options, attachment)
  } catch (error) {
    attachment?.resolve(undefined)
    throw recordFailure(engine, exec, error)
  } finally {
    engine.startingExecs.delete(exec.id)
  }
}

async function launchExec(
  engine: Engine,
  exec: Exec,
  options: ExecStartOptions,
  attachment: PendingAttachment | undefined,
): Promise<void> {
  const container = engine.containers.get(exec.containerId)
  const { state } = container
  if (!isAlive(state)) throw new EngineError('CONFLICT', `container ${container.id} is not running`)
  assertDirectory(exec.config.WorkingDir ?? '')
  await using undo = new AsyncDisposableStack()
  const size = consoleSize(exec, options)
  const runtimeDir = execRuntimeDir(engine.config, exec.id)
  const stdio = stdioOf(exec, size, attachment)
  const program = execProgram(engine, container, state, exec, {
    stdio,
    expectAttach: attachment === undefined || stdio.toStarter !== undefined ? 0 : 1,
  })
  await makeRuntimeDir(engine.config, runtimeDir)
  undo.defer(() => removeTree(runtimeDir))
  const streaming =
    stdio.toStarter === undefined ? undefined : await engine.spawner.runStreaming(program)
  const attachments = attachment === undefined ? [] : [attachment]
  const connection = streaming ?? (await launch(engine, program, runtimeDir, attachments))
  undo.defer(() => endUnrecorded(connection, runtimeDir))
  if (streaming !== undefined) attachment?.resolve(streaming.output)
  const isOver = recordWhole(engine, container, exec, connection)
  if (!isOver) recordStart(engine, container, exec, connection)
  undo.move()
  if (!isOver) {
    superviseExec(engine, exec.id, connection, streaming)
    return
  }
  streaming?.endOutput()
  engine.supervision.run('clear up behind an exec', exec.id, () => clearUp(engine, exec.id))
}

/** runc utils_linux.go; the docker CLI makes 126 of it. */
function assertDirectory(path: string): void {
  if (path === '' || path.startsWith('/')) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    'OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown',
  )
}

function recordStart(
  engine: Engine,
  container: ContainerRecord,
  exec: Exec,
  { pid, startTime }: ShimConnection,
): void {
  engine.events.commit('volatile', () => {
    engine.execs.change(exec.id, { status: 'running', pid, startTime })
    engine.events.add(execEvent(container, exec, 'exec_start'))
  })
}

/** What is quick has ended by now: then both are one step. False: not yet, or the database does not take it now. */
function recordWhole(
  engine: Engine,
  container: ContainerRecord,
  exec: Exec,
  { pid, ended }: ShimConnection,
): boolean {
  if (ended === undefined) return false
  const { exitCode } = ended
  try {
    engine.events.commit('volatile', () => {
      engine.execs.change(exec.id, { status: 'exited', pid, exitCode })
      engine.events.add(execEvent(container, exec, 'exec_start'))
      engine.events.add(dieEvent(container, exec, exitCode))
    })
    return true
  } catch (error) {
    // Of a start and an end on their own, each has its way.
    if (isStorageError(error)) return false
    throw error
  }
}

/** Output without an input beside it comes with the shim's own words. */
function stdioOf(
  { config }: Exec,
  size: { readonly rows: number; readonly columns: number },
  attachment: PendingAttachment | undefined,
): ExecInput['stdio'] {
  const tty = config.Tty === true
  // A terminal has an input, also for who attaches later.
  const stdin = config.AttachStdin === true || tty
  return {
    stdin,
    tty,
    stdinOnce: true,
    ...size,
    toStarter: stdin ? undefined : attachment?.streams,
  }
}

function consoleSize(
  exec: Exec,
  options: ExecStartOptions,
): { readonly rows: number; readonly columns: number } {
  if (options.consoleSize !== undefined) return options.consoleSize
  const [rows = 0, columns = 0] = exec.config.ConsoleSize ?? []
  return { rows, columns }
}

/** Also after an adoption: keeps the connection and records the end. */
export function superviseExec(
  engine: Engine,
  id: string,
  connection: ShimConnection,
  streaming?: StreamingConnection,
): void {
  engine.shims.set(id, connection)
  engine.supervision.run('supervise an exec', id, async () => {
    const record = await connection.exited.catch((err: unknown) => {
      engine.log.error({ execId: id, err }, 'the shim of an exec died')
      return undefined
    })
    if (engine.isClosing()) return
    if (engine.shims.get(id) === connection) engine.shims.delete(id)
    const recorded = untilRecorded(engine, id, () => recordExecExit(engine, id, record))
    // Also of an end that the database does not take: who reads the output need not wait for that.
    streaming?.endOutput()
    await recorded
    await clearUp(engine, id)
  })
}

/** Of an exec whose end is recorded, when its client has been told. */
async function clearUp({ config }: Pick<Engine, 'config'>, id: string): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
  await vacateRuntimeDir(execRuntimeDir(config, id))
}

/** `record` undefined: its shim died. Nothing to do when the container has been removed meanwhile. */
export function recordExecExit(engine: Engine, id: string, record: ExitRecord | undefined): void {
  const exec = engine.execs.find(id)
  const container = exec === undefined ? undefined : engine.containers.byId(exec.containerId)
  if (exec === undefined || container === undefined || exec.state.status !== 'running') return
  const { pid } = exec.state
  const exitCode = record?.exitCode ?? SHIM_DIED_EXIT_CODE
  engine.events.commit('volatile', () => {
    engine.execs.change(id, { status: 'exited', pid, exitCode })
    engine.events.add(dieEvent(container, exec, exitCode))
  })
}

function dieEvent(
  container: ContainerRecord,
  exec: Exec,
  exitCode: number,
): ReturnType<typeof containerEvent> {
  return execEvent(container, exec, 'exec_die', { exitCode: String(exitCode) })
}

function execEvent(
  container: ContainerRecord,
  exec: Exec,
  action: 'exec_start' | 'exec_die',
  attributes: Readonly<Record<string, string>> = {},
): ReturnType<typeof containerEvent> {
  const text = action === 'exec_die' ? action : execAction(action, exec.config.Cmd ?? [])
  return containerEvent(container, text, { execID: exec.id, ...attributes })
}

/** It counts as ended, with the code that a shell would give. */
function recordFailure(engine: Engine, exec: Exec, error: unknown): unknown {
  const failure =
    error instanceof ShimError
      ? describeStartFailure(error, exec.config.Cmd?.[0] ?? '', 'exec')
      : undefined
  // Whatever was under way then failed for that.
  const hasLost = failure?.exitCode === UNKNOWN_FAILURE && !isThere(engine, exec.containerId)
  const exitCode = failure?.exitCode ?? 126
  const record = (): void => {
    if (engine.execs.find(exec.id) === undefined) return
    engine.events.commit('volatile', () => {
      engine.execs.change(exec.id, { status: 'exited', pid: 0, exitCode })
    })
  }
  engine.supervision.run('record the failure of an exec', exec.id, () =>
    untilRecorded(engine, exec.id, record),
  )
  if (hasLost) {
    const message = `container ${exec.containerId} is not running`
    return new EngineError('CONFLICT', message, { cause: error })
  }
  return failure?.error ?? error
}

/** The container's process; one that is ending has killed the exec. */
function isThere(engine: Engine, containerId: string): boolean {
  const state = engine.containers.byId(containerId)?.state
  if (state === undefined || !isAlive(state)) return false
  const status = processStatus(state.pid)
  return status?.startTime === state.startTime && !status.isEnding
}
