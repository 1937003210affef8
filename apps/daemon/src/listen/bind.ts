import type { ListenOptions, Server } from 'node:net'
import { EngineError, isErrno } from '@ctr/errdefs'

/** listen(2), as a promise. */
export async function bind(server: Server, where: ListenOptions | { fd: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    if (!isErrno(error, 'EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EINVAL')) throw error
    throw new EngineError('CONFLICT', (error as Error).message, { cause: error })
  })
}
