import type { AuthConfig } from '@ctr/api'
import type { Client } from '../client.ts'

/** Checks credentials with the registry. */
export function auth(
  client: Client,
  body: AuthConfig,
): Promise<{ Status: string; IdentityToken?: string }> {
  return client.json({ method: 'POST', path: '/auth', json: body })
}
