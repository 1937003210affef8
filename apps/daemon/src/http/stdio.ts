import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeFrame, STDOUT } from '@ctr/api'
import type { AttachSession, ExecSession } from '@ctr/engine'
import { farewell } from './farewell.ts'
import { headRead } from './head-read.ts'
import { pump } from './pump.ts'
import type { Call } from './route.ts'
import { unframed } from './unframe.ts'

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
  session: AttachSession | ExecSession,
  o: { stdin: boolean; detachKeys: readonly number[] },
): Promise<'ended' | 'detached'> {
  const { hasTty } = session
  const unframe = call.isWebSocket && !hasTty
  let client: Duplex
  try {
    client = await openStdio(call, session, unframe)
  } catch (error) {
    // A stream that nobody reads would stop the process.
    session.close()
    void session.stream.then((stream) => stream?.destroy())
    throw error
  }
  const process = await session.stream
  // The shim may have taken the attachment before the process could not be run.
  const failure = 'failure' in session ? await session.failure : undefined
  if (process === undefined || failure !== undefined) {
    process?.destroy()
    tellFailure(client, failure, hasTty || unframe)
    return 'ended'
  }
  return await pump({
    client,
    process,
    stdin: o.stdin,
    unframe,
    ...(hasTty && o.stdin ? { detachKeys: o.detachKeys } : {}),
  })
}

/** The connection, with the output of the past sent. */
async function openStdio(
  call: Call,
  session: AttachSession | ExecSession,
  unframe: boolean,
): Promise<Duplex> {
  const { hasTty, logs } = session
  const client = await call.takeOver(
    // Without Upgrade there is one type, as in moby.
    call.headers.upgrade === undefined ? RAW_STREAM : streamType(hasTty, call.apiMinor),
  )
  client.once('close', () => session.close())
  await headRead(client)
  if (logs !== undefined) {
    const past = unframe ? logs.pipe(unframed()) : logs
    await pipeline(past, client, { end: false })
  }
  return client
}

/** The status is long sent: Docker writes the reason where output would be. */
function tellFailure(client: Duplex, failure: Error | undefined, isRaw: boolean): void {
  if (failure !== undefined) {
    const text = Buffer.from(`${failure.message}\r\n`)
    client.write(isRaw ? text : encodeFrame(STDOUT, text))
  }
  farewell(client)
}
