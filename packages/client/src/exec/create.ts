import type { ExecConfig } from '@ctr/api'
import { type Client, path } from '../client.ts'

/** Returns the id of the exec. CONFLICT: the container does not run, or is paused. */
export async function createExec(client: Client, ref: string, config: ExecConfig): Promise<string> {
  const { Id } = await client.json<{ Id: string }>({
    method: 'POST',
    path: path`/containers/${ref}/exec`,
    json: config,
  })
  return Id
}
