import { type Client, path } from '../client.ts'

export async function pauseContainer(client: Client, ref: string): Promise<void> {
  await client.run({ method: 'POST', path: path`/containers/${ref}/pause` })
}
