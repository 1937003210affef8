import type { Socket } from 'node:net'
import { attachShim, type EncodedProgram, type Program, type ShimConnection } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import type { PendingAttachment } from './pending-attachments.ts'

/**
 * Runs a supervised program and connects the clients that wait for it (its `expect_attach`) as soon as its shim listens:
 * they miss nothing. They get their streams when the process runs, or undefined. Throws ShimError when the start failed;
 * then everything was undone.
 */
export async function launch(
  engine: Pick<Engine, 'spawner' | 'log'>,
  program: Program | EncodedProgram,
  runtimeDir: string,
  attachments: readonly PendingAttachment[],
): Promise<ShimConnection> {
  let connecting: Promise<Socket | undefined>[] = []
  let hasFailed = false
  const onListening = (): void => {
    connecting = attachments.map(({ streams }) =>
      attachShim(runtimeDir, streams).catch((err: unknown) => {
        if (!hasFailed) engine.log.warn({ err, runtimeDir }, 'attach to a starting process')
        return undefined
      }),
    )
  }
  try {
    const connection = await engine.spawner.run(program, { onListening })
    const sockets = await Promise.all(connecting)
    for (const [index, { resolve }] of attachments.entries()) resolve(sockets[index])
    return connection
  } catch (error) {
    hasFailed = true
    for (const socket of await Promise.all(connecting)) socket?.destroy()
    for (const { resolve } of attachments) resolve(undefined)
    throw error
  }
}
