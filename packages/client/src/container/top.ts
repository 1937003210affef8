import type { ContainerTop } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function topContainer(
  client: Client,
  ref: string,
  psArgs: string | undefined,
): Promise<ContainerTop> {
  return client.json({
    method: 'GET',
    path: path`/containers/${ref}/top`,
    query: { ps_args: psArgs },
  })
}
