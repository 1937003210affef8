import type { SystemInfo } from '@ctr/api'
import type { Client } from '../client.ts'

export function info(client: Client): Promise<SystemInfo> {
  return client.json({ method: 'GET', path: '/info' })
}
