import type { NetworkConnect } from '@ctr/api'
import { type Client, path } from '../client.ts'

export async function connectNetwork(
  client: Client,
  ref: string,
  body: NetworkConnect,
): Promise<void> {
  await client.run({ method: 'POST', path: path`/networks/${ref}/connect`, json: body })
}
