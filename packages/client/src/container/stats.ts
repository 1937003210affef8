import type { ContainerStats } from '@ctr/api'
import { type Client, path } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'

/** One sample, or one a second. */
export async function* containerStats(
  client: Client,
  ref: string,
  options: { readonly stream: boolean; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<ContainerStats, void, undefined> {
  const response = await client.request({
    method: 'GET',
    path: path`/containers/${ref}/stats`,
    query: { stream: options.stream ? '1' : '0' },
    signal: options.signal,
  })
  yield* jsonLines<ContainerStats>(response.body)
}
