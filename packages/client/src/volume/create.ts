import type { Volume, VolumeCreate } from '@ctr/api'
import type { Client } from '../client.ts'

export function createVolume(client: Client, body: VolumeCreate): Promise<Volume> {
  return client.json({ method: 'POST', path: '/volumes/create', json: body })
}
