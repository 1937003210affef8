import type { NetworkDisconnect } from '@ctr/api'
import { type Client, path } from '../client.ts'

export async function disconnectNetwork(
  client: Client,
  ref: string,
  body: NetworkDisconnect,
): Promise<void> {
  await client.run({ method: 'POST', path: path`/networks/${ref}/disconnect`, json: body })
}
