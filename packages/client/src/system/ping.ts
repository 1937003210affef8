import type { Client } from '../client.ts'

/** Versions as the daemon tells them in its headers. */
export async function ping(client: Client): Promise<{ apiVersion: string | undefined }> {
  const response = await client.request({ method: 'GET', path: '/_ping' })
  await response.body.bytes()
  return { apiVersion: response.head.headers['api-version'] }
}
