import { encodeFrame, STDOUT } from '@ctr/api'
import type { AttachSession } from '@ctr/engine'
import { pump } from './pump.ts'
import type { Call } from './route.ts'
import { isWebSocket } from './upgrade.ts'

export const RAW_STREAM = 'application/vnd.docker.raw-stream'
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream'

/** Clients of v1.42 and later are told which of the two formats follows. */
export function streamType(hasTty: boolean, apiMinor: number): string {
  return hasTty || apiMinor < 42 ? RAW_STREAM : MULTIPLEXED_STREAM
}

/**
 * Serves attach and exec: the connection changes hands at once, the bytes flow when the process runs. With a WebSocket
 * the frames are taken off (as Docker's `/attach/ws`), for there is no room for two streams.
 */
export async function serveStdio(
  call: Call,
  session: AttachSession,
  o: { stdin: boolean; detachKeys: readonly number[] },
): Promise<'ended' | 'detached'> {
  const { hasTty } = session
  const client = await call.takeOver(streamType(hasTty, call.apiMinor))
  try {
    const process = await session.stream
    if (process === undefined) {
      client.end()
      return 'ended'
    }
    return await pump({
      client,
      process,
      stdin: o.stdin,
      unframe: isWebSocket(call.headers) && !hasTty,
      ...(hasTty && o.stdin ? { detachKeys: o.detachKeys } : {}),
    })
  } catch (error) {
    // The status is long sent. Docker writes the reason where output would be.
    const text = Buffer.from(`${(error as Error).message}\r\n`)
    if (isWebSocket(call.headers)) client.destroy(error as Error)
    else client.end(hasTty ? text : encodeFrame(STDOUT, text))
    throw error
  }
}
