import { type Client, path } from '../client.ts'

export async function removeNetwork(client: Client, ref: string): Promise<void> {
  await client.run({ method: 'DELETE', path: path`/networks/${ref}` })
}
