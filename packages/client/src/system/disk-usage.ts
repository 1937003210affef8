import type { DiskUsage } from '@ctr/api'
import type { Client } from '../client.ts'

export function diskUsage(client: Client): Promise<DiskUsage> {
  return client.json({ method: 'GET', path: '/system/df' })
}
