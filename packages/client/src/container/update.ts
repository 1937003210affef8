import type { ContainerUpdate, ContainerUpdated } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function updateContainer(
  client: Client,
  ref: string,
  body: ContainerUpdate,
): Promise<ContainerUpdated> {
  return client.json({ method: 'POST', path: path`/containers/${ref}/update`, json: body })
}
