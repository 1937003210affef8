import { type Client, path } from '../client.ts'

/** CONFLICT: containers use it. */
export async function removeVolume(client: Client, name: string, force = false): Promise<void> {
  await client.run({ method: 'DELETE', path: path`/volumes/${name}`, query: { force } })
}
