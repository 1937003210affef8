import type { EventMessage } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'
import { textLines } from '../stream/json-lines.ts'

export interface ReceivedEvent {
  readonly message: EventMessage
  /** Exact: `message.timeNano` has lost digits in JavaScript's numbers. */
  readonly timeNs: bigint
  /** The line as the daemon wrote it. */
  readonly text: string
}

/** History from `since`, then live until `until` (unix seconds, with a fraction) or for ever. */
export async function* events(
  client: Client,
  options: {
    readonly since?: string | undefined
    readonly until?: string | undefined
    readonly filters?: FilterMap | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): AsyncGenerator<ReceivedEvent, void, undefined> {
  const { since, until, signal } = options
  const query = { since, until, filters: encodeFilters(options.filters) }
  const response = await client.request({ method: 'GET', path: '/events', query, signal })
  for await (const text of textLines(response.body)) {
    const message = JSON.parse(text) as EventMessage
    const digits = /"timeNano":\s*(\d+)/.exec(text)?.[1]
    yield { message, timeNs: BigInt(digits ?? message.time * 1e9), text }
  }
}
