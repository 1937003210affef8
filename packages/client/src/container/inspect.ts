import type { ContainerInspect } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function inspectContainer(
  client: Client,
  ref: string,
  options: { readonly size?: boolean } = {},
): Promise<ContainerInspect> {
  return client.json({
    method: 'GET',
    path: path`/containers/${ref}/json`,
    query: { size: options.size },
  })
}
