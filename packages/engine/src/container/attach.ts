import type { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { EngineError, isErrno } from '@ctr/errdefs'
import { ANSWER_TIMEOUT_MS, attachShim } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { containerLogs } from './logs.ts'
import { type AttachStreams, wantsStreams } from './pending-attachments.ts'
import { containerRuntimeDir } from './runtime-dir.ts'
import { isAlive } from './state.ts'

export interface AttachOptions extends AttachStreams {
  /** What was logged before, first. */
  readonly logs: boolean
  /** The live streams; without it only the logs. */
  readonly stream: boolean
}

/** An attached client. Bytes are Docker's stream as it is: raw with a terminal, multiplexed without. */
export interface AttachSession {
  readonly hasTty: boolean
  /** Output of the past, to be sent before the stream's. */
  readonly logs: Readable | undefined
  /** Resolves when the process runs; undefined if it never will. end() on it is the end of stdin. */
  readonly stream: Promise<Duplex | undefined>
  /** The client has gone: takes a waiting attachment back. */
  close(): void
}

/**
 * To a running container at once; to any other for its next start. CONFLICT when paused, restarting or being removed;
 * ETIMEDOUT if the shim does not answer.
 */
export async function attachContainer(
  engine: Engine,
  reference: string,
  options: AttachOptions,
): Promise<AttachSession> {
  const container = engine.containers.get(reference)
  const { id, state } = container
  if (state.status === 'paused') {
    throw new EngineError(
      'CONFLICT',
      `container ${id} is paused, unpause the container before attach`,
    )
  }
  if (state.status === 'restarting') {
    throw new EngineError(
      'CONFLICT',
      `container ${id} is restarting, wait until the container is running`,
    )
  }
  const hasTty = container.config.Tty === true
  const logs = options.logs
    ? (
        await containerLogs(
          engine,
          id,
          { ...options, follow: false, timestamps: false, details: false },
          new AbortController().signal,
        )
      ).stream
    : undefined
  const streams = {
    // The shim has no stdin to give without -i.
    stdin: options.stdin && container.config.OpenStdin === true,
    stdout: options.stdout,
    stderr: options.stderr,
  }
  if (!options.stream || !wantsStreams(streams)) {
    engine.events.emit(containerEvent(container, 'attach'))
    return { hasTty, logs, stream: Promise.resolve(undefined), close: () => undefined }
  }
  const { connecting, session } = openSession(engine, id, hasTty, logs, streams)
  try {
    // The shim answers while the event is written.
    if (isAlive(state)) await nextTurn()
    engine.events.emit(containerEvent(container, 'attach'))
  } catch (error) {
    session.close()
    throw error
  }
  // What can be known before the answer is.
  if (isAlive(state)) await connecting
  return session
}

function openSession(
  engine: Engine,
  id: string,
  hasTty: boolean,
  logs: Readable | undefined,
  streams: AttachStreams,
): { readonly connecting: Promise<void>; readonly session: AttachSession } {
  const { promise, resolve } = Promise.withResolvers<Duplex | undefined>()
  let isClosed = false
  // A start may have taken the attachment: a stream that nobody reads would stop the process.
  const take = (stream: Duplex | undefined): void => {
    if (isClosed) stream?.destroy()
    else resolve(stream)
  }
  const waiting = engine.pendingAttachments.add(id, { streams, resolve: take })
  // In the queue: not between the launch of a start and its record.
  const connecting = engine.queues.run(id, async () => {
    const container = engine.containers.byId(id)
    if (container === undefined || !isAlive(container.state)) return
    waiting[Symbol.dispose]()
    take(await connect(engine, id, streams))
  })
  connecting.catch((err: unknown) => {
    engine.log.warn({ containerId: id, err }, 'attach')
    resolve(undefined)
  })
  const session: AttachSession = {
    hasTty,
    logs,
    stream: promise,
    close: () => {
      isClosed = true
      waiting[Symbol.dispose]()
      resolve(undefined)
    },
  }
  return { connecting, session }
}

async function connect(
  engine: Pick<Engine, 'config'>,
  id: string,
  streams: AttachStreams,
): Promise<Socket | undefined> {
  try {
    return await attachShim(containerRuntimeDir(engine.config, id), streams, ANSWER_TIMEOUT_MS)
  } catch (error) {
    // It has just ended.
    if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'EPIPE', 'ECONNRESET')) return undefined
    throw error
  }
}

/** CONFLICT unless it runs; INTERNAL if its shim does not answer. */
export async function resizeContainer(
  engine: Engine,
  reference: string,
  rows: number,
  columns: number,
): Promise<void> {
  const { id, state } = engine.containers.get(reference)
  const connection = engine.shims.get(id)
  if (connection === undefined && isAlive(state)) {
    throw new EngineError('INTERNAL', `the shim of container ${id} does not answer`)
  }
  if (connection === undefined) {
    throw new EngineError(
      'CONFLICT',
      `cannot resize a stopped container: container ${id} is not running`,
    )
  }
  // Without a terminal there is nothing to resize, and clients need not know.
  const container = engine.containers.byId(id)
  if (container === undefined) return
  if (container.config.Tty === true) await connection.resize(rows, columns)
  engine.events.emit(
    containerEvent(container, 'resize', { height: String(rows), width: String(columns) }),
  )
}
