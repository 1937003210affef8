import { type Client, path } from '../client.ts'
import type { BodyStream } from '../http/body-stream.ts'

/** Raw with a terminal, multiplexed without. */
export async function containerLogs(
  client: Client,
  ref: string,
  options: {
    readonly stdout: boolean
    readonly stderr: boolean
    readonly follow?: boolean
    readonly timestamps?: boolean
    readonly details?: boolean
    readonly tail?: string | undefined
    /** Unix seconds, with a fraction. */
    readonly since?: string | undefined
    readonly until?: string | undefined
  },
): Promise<BodyStream> {
  const query = { ...options }
  return (await client.request({ method: 'GET', path: path`/containers/${ref}/logs`, query })).body
}
