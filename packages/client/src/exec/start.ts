import type { ExecStart } from '@ctr/api'
import { type Client, path } from '../client.ts'
import type { RawStream } from '../http/connection.ts'

/** The stream is raw with a terminal, multiplexed without. */
export function startExec(client: Client, id: string, options: ExecStart): Promise<RawStream> {
  return client.hijack({
    method: 'POST',
    path: path`/exec/${id}/start`,
    json: { ...options, Detach: false },
  })
}

export async function startExecDetached(
  client: Client,
  id: string,
  options: ExecStart,
): Promise<void> {
  await client.run({
    method: 'POST',
    path: path`/exec/${id}/start`,
    json: { ...options, Detach: true },
  })
}
