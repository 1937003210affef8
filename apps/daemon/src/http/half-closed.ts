import type { Duplex } from 'node:stream'
import { hasPeerGone } from '@ctr/linux'

/** A descriptor or two more for so long. */
const LOOK_MS = 2000

const watched = new Set<Duplex>()
let timer: NodeJS.Timeout | undefined

/**
 * Destroys the connection of a client when that has gone. To be called at the end of its input, where it may have gone
 * already, or have said that it sends no more (`docker attach --no-stdin`): libuv looks at such a descriptor no more until there
 * is something to write, and a process can be silent for days. Hence the one look every few seconds, as long as there are such.
 */
export function leaveWhenGone(client: Duplex): void {
  if (leaveIfGone(client) || client.closed) return
  watched.add(client)
  client.once('close', () => {
    watched.delete(client)
    if (watched.size > 0) return
    clearInterval(timer)
    timer = undefined
  })
  timer ??= setInterval(() => watched.forEach(leaveIfGone), LOOK_MS).unref()
}

function leaveIfGone(client: Duplex): boolean {
  const { _handle: handle } = client as { readonly _handle?: { readonly fd?: number } }
  const fd = handle?.fd ?? -1
  const isGone = fd >= 0 && hasPeerGone(fd)
  if (isGone) client.destroy()
  return isGone
}
