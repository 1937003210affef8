import type { ImageInspect } from '@ctr/api'
import type { Client } from '../client.ts'
import { imagePath } from './path.ts'

export function inspectImage(client: Client, ref: string): Promise<ImageInspect> {
  return client.json({ method: 'GET', path: `${imagePath(ref)}/json` })
}
