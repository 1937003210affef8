import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { unreadByPeer } from '@ctr/linux'

const LONGEST_MS = 1000
const LONGEST_STEP_MS = 20

/**
 * Resolves when the client of a hijacked connection has read the head of the answer, or after a second. docker-py reads the
 * socket past the buffer of its HTTP library, and loses what has come with the head; dockerd, whose processes take longer to
 * run, seldom shows it. The kernel has no event for this, so it is asked, while the process is being started. Of a Unix socket
 * only: for TCP nobody knows.
 */
export async function headRead(client: Duplex): Promise<void> {
  const { _handle: handle, remotePort } = client as {
    readonly _handle?: { readonly fd?: number }
    readonly remotePort?: number
  }
  const fd = handle?.fd ?? -1
  if (fd < 0 || remotePort !== undefined) return
  let stepMs = 1
  for (let waitedMs = 0; waitedMs < LONGEST_MS && !client.destroyed; waitedMs += stepMs) {
    if ((unreadByPeer(fd) ?? 0) === 0) return
    await delay(stepMs)
    stepMs = Math.min(stepMs * 2, LONGEST_STEP_MS)
  }
}
