import type { NetworkCreate, NetworkCreated } from '@ctr/api'
import type { Client } from '../client.ts'

export function createNetwork(client: Client, body: NetworkCreate): Promise<NetworkCreated> {
  return client.json({ method: 'POST', path: '/networks/create', json: body })
}
