import type { ExecConfig } from '@ctr/api'
import { type Client, path } from '../client.ts'
import { isUnknownRoute, MAX_BODY_CHARACTERS } from '../container/run.ts'
import type { RawStream } from '../http/connection.ts'

/**
 * Creates an exec, starts it and joins its streams, in one request: Docker's frames, with REPORT as the last. With `hold` it is
 * hung up when our connection breaks before. Undefined when that is not possible: the daemon is not ours, or the request too
 * large; then nothing has happened. Throws as `createExec`.
 */
export async function runExec(
  client: Client,
  ref: string,
  o: { readonly config: ExecConfig; readonly hold: boolean },
): Promise<RawStream | undefined> {
  if (JSON.stringify(o.config).length > MAX_BODY_CHARACTERS) return undefined
  try {
    const { stream } = await client.upgrade({
      method: 'POST',
      path: path`/containers/${ref}/exec/run`,
      query: { hold: o.hold },
      json: o.config,
    })
    return stream
  } catch (error) {
    if (isUnknownRoute(error)) return undefined
    throw error
  }
}
