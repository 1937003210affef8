import type { AuthConfig } from '@ctr/api'
import { DEFAULT_DOMAIN } from '@ctr/oci'
import { RegistryClient } from './client.ts'
import { endpointsOf, type RegistrySettings } from './endpoint.ts'
import { translatePushError } from './errors.ts'

/** Asks a registry whether it knows these credentials. UNAUTHENTICATED if not, UPSTREAM if it does not answer. */
export async function checkLogin(
  settings: RegistrySettings,
  auth: AuthConfig,
  signal?: AbortSignal,
): Promise<void> {
  const domain = domainOf(auth.serveraddress ?? '')
  try {
    const client = await RegistryClient.connect({
      endpoints: endpointsOf(domain, settings, 'push').flat(),
      path: '',
      actions: 'pull',
      auth,
      signal,
    })
    await client.checkAccess()
  } catch (error) {
    throw translatePushError(error)
  }
}

/** `https://index.docker.io/v1/`, which is Docker Hub's name in every config.json, or `host:port`. */
function domainOf(serverAddress: string): string {
  const host = serverAddress.replace(/^https?:\/\//, '').split('/')[0] ?? ''
  return host === '' || host === 'index.docker.io' || host === DEFAULT_DOMAIN
    ? DEFAULT_DOMAIN
    : host
}
