import { type Client, path } from '../client.ts'

/** CONFLICT: the name is in use. */
export async function renameContainer(client: Client, ref: string, name: string): Promise<void> {
  await client.run({ method: 'POST', path: path`/containers/${ref}/rename`, query: { name } })
}
