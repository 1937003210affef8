import type { ContainerConfig } from '@ctr/api'
import type { Client } from '../client.ts'

/** Returns the id of the new image. */
export async function commitContainer(
  client: Client,
  options: {
    readonly container: string
    readonly repository?: string | undefined
    readonly tag?: string | undefined
    readonly comment?: string | undefined
    readonly author?: string | undefined
    readonly changes?: readonly string[]
    readonly pause: boolean
    readonly config?: ContainerConfig
  },
): Promise<string> {
  const { container, repository, tag, comment, author, changes, pause } = options
  const query = {
    container,
    repo: repository,
    tag,
    comment,
    author,
    changes,
    pause: pause ? '1' : '0',
  }
  const { Id } = await client.json<{ Id: string }>({
    method: 'POST',
    path: '/commit',
    query,
    json: options.config ?? {},
  })
  return Id
}
