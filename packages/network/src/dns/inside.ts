import { closeSync, readFileSync } from 'node:fs'
import { parentOf, takeSocket } from '@ctr/linux'
import { type Handler, Listener } from './listener.ts'

/** 127.0.0.11 as /proc/net/udp and tcp write it: proc(5). */
const ADDRESS = '0B00007F'
const [FIRST_PORT, PORTS] = [20_000, 10_000]

/** Below those that sockets get by themselves, and always the same for one container. */
export function insidePort(containerId: string): number {
  return FIRST_PORT + (Number.parseInt(containerId.slice(0, 8), 16) % PORTS)
}

/**
 * The resolver of a container as a listener in its own network namespace, on the sockets that its shim holds for it: its
 * questions wait there while no daemon runs. Undefined: there are none.
 */
export async function listenInside(
  containerId: string,
  pid: number,
  handle: Handler,
): Promise<Listener | undefined> {
  const port = insidePort(containerId)
  const shim = parentOf(pid)
  const udp = take(shim, inodeAt(`/proc/${pid}/net/udp`, port))
  if (udp === undefined) return undefined
  const tcp = take(shim, inodeAt(`/proc/${pid}/net/tcp`, port))
  if (tcp !== undefined) return await Listener.adopt({ udp, tcp }, handle)
  closeSync(udp)
  return undefined
}

function take(shim: number, inode: string | undefined): number | undefined {
  return inode === undefined ? undefined : takeSocket(shim, inode)
}

/** Of the socket that is bound there, not of a connection. */
function inodeAt(path: string, port: number): string | undefined {
  const local = `${ADDRESS}:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync(path, 'utf8').split('\n').slice(1)
  const fields = lines.map((line) => line.trim().split(/\s+/))
  return fields.find(([, at, remote = '']) => at === local && remote.endsWith(':0000'))?.[9]
}
