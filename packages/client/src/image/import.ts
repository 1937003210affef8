import type { ProgressMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'

/** `source` is `-` (the tar is sent as `tar`) or a URL that the daemon fetches. */
export async function* importImage(
  client: Client,
  options: {
    readonly source: string
    readonly repository?: string | undefined
    readonly tag?: string | undefined
    readonly message?: string | undefined
    readonly changes?: readonly string[]
    readonly platform?: string | undefined
    readonly tar?: AsyncIterable<Uint8Array> | undefined
    /** See RequestOptions. */
    readonly file?: number | undefined
  },
): AsyncGenerator<ProgressMessage, void, undefined> {
  const { source, repository, tag, message, changes, platform } = options
  const response = await client.request({
    method: 'POST',
    path: '/images/create',
    query: { fromSrc: source, repo: repository, tag, message, changes, platform },
    body: options.tar,
    bodyFile: options.file,
  })
  yield* jsonLines<ProgressMessage>(response.body)
}
