import type { Client } from '../client.ts'
import type { BodyStream } from '../http/body-stream.ts'

export async function saveImages(client: Client, names: readonly string[]): Promise<BodyStream> {
  return (await client.request({ method: 'GET', path: '/images/get', query: { names } })).body
}
