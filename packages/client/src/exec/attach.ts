import { type Client, path } from '../client.ts'
import type { RawStream } from '../http/connection.ts'

/** Of a running exec; raw with a terminal, multiplexed without. CONFLICT: it does not run. */
export function attachExec(
  client: Client,
  id: string,
  query: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean },
): Promise<RawStream> {
  return client.hijack({ method: 'POST', path: path`/exec/${id}/attach`, query })
}
