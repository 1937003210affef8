import type { HistoryItem } from '@ctr/api'
import type { Client } from '../client.ts'
import { imagePath } from './path.ts'

export function imageHistory(client: Client, ref: string): Promise<HistoryItem[]> {
  return client.json({ method: 'GET', path: `${imagePath(ref)}/history` })
}
