import type { ExecSummary } from '@ctr/api'
import type { Client } from '../client.ts'

/** Running ones, or with `all` also those that have ended. NOT_FOUND: the container. */
export function listExecs(
  client: Client,
  query: { readonly container?: string | undefined; readonly all?: boolean },
): Promise<ExecSummary[]> {
  return client.json({ method: 'GET', path: '/exec/json', query })
}
