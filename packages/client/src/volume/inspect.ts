import type { Volume } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function inspectVolume(client: Client, name: string): Promise<Volume> {
  return client.json({ method: 'GET', path: path`/volumes/${name}` })
}
