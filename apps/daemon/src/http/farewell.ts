import type { Duplex } from 'node:stream'

/** How long a client may keep its side open after the last byte of output has left us. */
const LINGER_MS = 10_000

/**
 * Nothing more will be said. The client is read until it closes, for to close a socket with unread bytes can cost the peer
 * the last output (unix(7): ECONNRESET), and without reading nobody would learn that it has gone. It may take the last
 * output as slowly as any other: a pager waits for its reader.
 */
export function farewell(client: Duplex, last?: Buffer | string): void {
  if (client.destroyed) return
  client.resume()
  client.end(last, () => {
    const deadline = setTimeout(() => client.destroy(), LINGER_MS)
    if (client.closed) clearTimeout(deadline)
    else client.once('close', () => clearTimeout(deadline))
  })
}
