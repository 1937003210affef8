import type { ContainerCreate, ContainerCreated } from '@ctr/api'
import type { Client } from '../client.ts'

/** NOT_FOUND: no such image. CONFLICT: the name is in use. */
export function createContainer(
  client: Client,
  options: {
    readonly name?: string | undefined
    readonly platform?: string | undefined
    /** Removes a container of the same name first. */
    readonly replace?: boolean | undefined
    readonly body: ContainerCreate
  },
): Promise<ContainerCreated> {
  const { name, platform, replace, body } = options
  return client.json({
    method: 'POST',
    path: '/containers/create',
    query: { name, platform, replace: replace === true ? true : undefined },
    json: body,
  })
}
