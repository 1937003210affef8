import type { Secret, SecretCreated, SecretSpec } from '@ctr/api'
import { type Client, path } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

/** CONFLICT: the name is in use. */
export function createSecret(client: Client, spec: SecretSpec): Promise<SecretCreated> {
  return client.json({ method: 'POST', path: '/secrets/create', json: spec })
}

export function listSecrets(client: Client, filters?: FilterMap): Promise<Secret[]> {
  const query = { filters: encodeFilters(filters) }
  return client.json({ method: 'GET', path: '/secrets', query })
}

/** By name or id. CONFLICT: containers use it. */
export async function removeSecret(client: Client, ref: string): Promise<void> {
  await client.run({ method: 'DELETE', path: path`/secrets/${ref}` })
}
