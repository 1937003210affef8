import type { ExecInspect } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function inspectExec(client: Client, id: string): Promise<ExecInspect> {
  return client.json({ method: 'GET', path: path`/exec/${id}/json` })
}
