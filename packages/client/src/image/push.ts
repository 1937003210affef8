import type { ProgressMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'
import { imagePath } from './path.ts'

export async function* pushImage(
  client: Client,
  options: {
    readonly image: string
    readonly tag?: string | undefined
    /** `X-Registry-Auth`: base64url of an AuthConfig. */
    readonly auth: string
  },
): AsyncGenerator<ProgressMessage, void, undefined> {
  const response = await client.request({
    method: 'POST',
    path: `${imagePath(options.image)}/push`,
    query: { tag: options.tag },
    headers: { 'X-Registry-Auth': options.auth },
  })
  yield* jsonLines<ProgressMessage>(response.body)
}
