import type { SystemVersion } from '@ctr/api'
import type { Client } from '../client.ts'

export function version(client: Client): Promise<SystemVersion> {
  return client.json({ method: 'GET', path: '/version' })
}
