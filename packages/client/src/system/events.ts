import type { EventMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'
import { jsonLines } from '../stream/json-lines.ts'

/** History from `since`, then live until `until` (unix seconds, with a fraction) or for ever. */
export async function* events(
  client: Client,
  options: {
    readonly since?: string | undefined
    readonly until?: string | undefined
    readonly filters?: FilterMap | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): AsyncGenerator<EventMessage, void, undefined> {
  const { since, until, signal } = options
  const query = { since, until, filters: encodeFilters(options.filters) }
  const response = await client.request({ method: 'GET', path: '/events', query, signal })
  yield* jsonLines<EventMessage>(response.body)
}
