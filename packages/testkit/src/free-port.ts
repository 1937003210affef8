import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/**
 * A TCP port that nobody listens on, to be bound a little later by somebody else. Not one of those that the kernel gives to
 * clients: any connection of this machine could have it by then. ip(7), ip_local_port_range
 */
export async function freePort(): Promise<number> {
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
  const first = Math.max(Number(range.split(/\s/)[0]), LOWEST + 1)
  for (;;) {
    const port = randomInt(LOWEST, first)
    if (await canListen(port)) return port
  }
}

/** What is below has names in services(5), or is refused by `fetch`: 10080 is the last of its bad ports. */
const LOWEST = 10_081

async function canListen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}
