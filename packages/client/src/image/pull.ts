import type { ProgressMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'

export async function* pullImage(
  client: Client,
  options: {
    readonly fromImage: string
    readonly tag?: string | undefined
    readonly platform?: string | undefined
    /** `X-Registry-Auth`: base64url of an AuthConfig. */
    readonly auth?: string | undefined
    readonly signal?: AbortSignal | undefined
  },
): AsyncGenerator<ProgressMessage, void, undefined> {
  const { fromImage, tag, platform, auth } = options
  const response = await client.request({
    method: 'POST',
    path: '/images/create',
    query: { fromImage, tag, platform },
    headers: auth === undefined ? {} : { 'X-Registry-Auth': auth },
    signal: options.signal,
  })
  yield* jsonLines<ProgressMessage>(response.body)
}
