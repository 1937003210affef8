import { type Client, path } from '../client.ts'
import type { BodyStream } from '../http/body-stream.ts'

/** A tar of the merged filesystem. */
export async function exportContainer(client: Client, ref: string): Promise<BodyStream> {
  return (await client.request({ method: 'GET', path: path`/containers/${ref}/export` })).body
}
