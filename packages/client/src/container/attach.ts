import { type Client, path } from '../client.ts'
import type { RawStream } from '../http/connection.ts'

/** The stream is raw with a terminal, multiplexed without. */
export function attachContainer(
  client: Client,
  ref: string,
  options: {
    readonly stdin: boolean
    readonly stdout: boolean
    readonly stderr: boolean
    readonly logs?: boolean
    readonly detachKeys?: string | undefined
  },
): Promise<RawStream> {
  return client.hijack({
    method: 'POST',
    path: path`/containers/${ref}/attach`,
    query: { stream: true, ...options },
  })
}
