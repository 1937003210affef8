import type { Socket } from 'node:net'
import { EngineError, isErrno } from '@ctr/errdefs'
import { ANSWER_TIMEOUT_MS, attachShim } from '@ctr/shim'
import type { AttachSession } from '../container/attach.ts'
import type { AttachStreams } from '../container/pending-attachments.ts'
import { execRuntimeDir } from '../container/runtime-dir.ts'
import type { Engine } from '../engine.ts'

/**
 * Joins the streams of a running exec, also beside others. What was written before is gone: an exec has no log.
 * CONFLICT unless it runs; ETIMEDOUT if its shim does not answer.
 */
export async function attachExec(
  engine: Engine,
  reference: string,
  streams: AttachStreams,
): Promise<AttachSession> {
  const { id, config, state } = engine.execs.get(reference)
  if (state.status !== 'running') throw notRunning(id)
  const hasTty = config.Tty === true
  const stdin = streams.stdin && (config.AttachStdin === true || hasTty)
  const socket = await connect(engine, id, { ...streams, stdin })
  return { hasTty, logs: undefined, stream: Promise.resolve(socket), close: () => undefined }
}

async function connect(
  engine: Pick<Engine, 'config'>,
  id: string,
  streams: AttachStreams,
): Promise<Socket> {
  try {
    return await attachShim(execRuntimeDir(engine.config, id), streams, ANSWER_TIMEOUT_MS)
  } catch (error) {
    // It has just ended.
    if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'EPIPE', 'ECONNRESET')) throw notRunning(id)
    throw error
  }
}

function notRunning(id: string): EngineError {
  return new EngineError('CONFLICT', `exec ${id} is not running`)
}
