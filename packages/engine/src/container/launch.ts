import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '@ctr/errdefs'
import { attachShim, type Program, type ShimConnection } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import type { PendingAttachment } from './pending-attachments.ts'

/** How long the socket of a shim that is starting may take to appear, between two looks. */
const RETRY_MS = 1

/**
 * Runs a supervised program and connects the clients that wait for it, before its process runs: they miss nothing. They
 * get their streams when it runs, or undefined. Throws ShimError when the start failed; then everything was undone.
 */
export async function launch(
  engine: Pick<Engine, 'spawner' | 'log'>,
  program: Program,
  runtimeDir: string,
  attachments: readonly PendingAttachment[],
): Promise<ShimConnection> {
  const ended = new AbortController()
  const running = engine.spawner.run(program)
  // A failed start ends the tries to connect; the error itself is the caller's.
  running.catch(() => ended.abort())
  const connecting = Promise.all(
    attachments.map((attachment) => attachWhenReady(engine, runtimeDir, attachment, ended.signal)),
  )
  try {
    const connection = await running
    const sockets = await connecting
    for (const [index, { resolve }] of attachments.entries()) resolve(sockets[index])
    return connection
  } catch (error) {
    for (const socket of await connecting) socket?.destroy()
    for (const { resolve } of attachments) resolve(undefined)
    throw error
  }
}

async function attachWhenReady(
  engine: Pick<Engine, 'log'>,
  runtimeDir: string,
  attachment: PendingAttachment,
  ended: AbortSignal,
): Promise<Socket | undefined> {
  while (!ended.aborted) {
    try {
      return await attachShim(runtimeDir, attachment.streams)
    } catch (err) {
      if (!isErrno(err, 'ENOENT', 'ECONNREFUSED')) {
        engine.log.warn({ err, runtimeDir }, 'attach to a starting process')
        return undefined
      }
    }
    await delay(RETRY_MS)
  }
  return undefined
}
