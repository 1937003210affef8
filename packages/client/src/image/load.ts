import type { ProgressMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'

export async function* loadImages(
  client: Client,
  options: {
    readonly tar: AsyncIterable<Uint8Array>
    /** See RequestOptions. */
    readonly file?: number | undefined
    readonly quiet: boolean
  },
): AsyncGenerator<ProgressMessage, void, undefined> {
  const response = await client.request({
    method: 'POST',
    path: '/images/load',
    query: { quiet: options.quiet ? '1' : '0' },
    body: options.tar,
    bodyFile: options.file,
  })
  yield* jsonLines<ProgressMessage>(response.body)
}
