import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

/** Two connected sockets with half-close, as those of a daemon and its client. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = await accepted
  server.close()
  return [near, far]
}

/** As `socketPair`, of a Unix socket. */
export async function unixSocketPair(): Promise<[Socket, Socket]> {
  const directory = mkdtempSync('/tmp/ctr-pair-')
  try {
    const path = join(directory, 's')
    const server = createServer({ allowHalfOpen: true }).listen(path)
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const near = connect({ path, allowHalfOpen: true })
    const [far] = await accepted
    server.close()
    return [near, far]
  } finally {
    rmSync(directory, { recursive: true })
  }
}
