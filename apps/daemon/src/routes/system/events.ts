import { type EventMessage, parseFilters } from '@ctr/api'
import { type EngineEvent, subscribeEvents } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { writeLine } from '../../http/json-lines.ts'
import { route } from '../../http/route.ts'
import { nowNs, parseTime, unixSeconds } from '../../time.ts'

export const eventsRoute = route({
  method: 'GET',
  path: '/events',
  summary: 'Get events: those since a time, and those to come; also as a WebSocket',
  query: { since: 'string', until: 'string', filters: 'string' },
  webSocket: 'also',
  status: 200,
  handle: async ({ engine }, { query, signal, openOutput, apiMinor }) => {
    const untilNs = timeOf('until', query.until)
    // With an end alone, or from 0, all that is known is meant. moby daemon/events/events.go loadBufferedEvents
    const isFromStart = query.since === '0' || (query.since === undefined && untilNs !== undefined)
    const sinceNs = isFromStart ? 0n : timeOf('since', query.since)
    if (sinceNs !== undefined && untilNs !== undefined && sinceNs > untilNs) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `\`since\` time (${query.since}) cannot be after \`until\` time (${query.until})`,
      )
    }
    const filters = parseFilters(query.filters, 'any')
    const events = subscribeEvents(
      engine,
      {
        ...(sinceNs === undefined ? {} : { sinceNs }),
        ...(untilNs === undefined ? {} : { untilNs }),
        filters,
      },
      signal,
    )
    // Headers before the first event: clients wait for them.
    const output = await openOutput('application/json')
    for await (const event of events) await writeLine(output, renderEvent(event, apiMinor))
    output.end()
    return undefined
  },
})

function timeOf(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined || text === '0') return undefined
  const time = parseTime(text, nowNs())
  if (time !== undefined) return time
  throw new EngineError('INVALID_ARGUMENT', `invalid value for "${name}": ${JSON.stringify(text)}`)
}

function renderEvent(event: EngineEvent, apiMinor: number): EventMessage {
  const { image } = event.attributes
  const isContainer = event.type === 'container'
  const isImage = event.type === 'image'
  return {
    // Repeated for clients of before v1.22; gone in v1.52.
    ...(apiMinor < 52 && (isContainer || isImage)
      ? {
          status: event.action,
          id: event.actorId,
          ...(isContainer && image !== undefined ? { from: image } : {}),
        }
      : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: sorted(event.attributes) },
    scope: 'local',
    time: unixSeconds(event.timeNs),
    // Above 2^53: as a JSON number it is written digit by digit.
    timeNano: exactInteger(event.timeNs),
  }
}

/** Go writes a map's keys in their order. */
function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** ECMA-262 JSON.rawJSON: the value that JSON.stringify writes as it is. */
function exactInteger(value: bigint): number {
  const json = JSON as unknown as { rawJSON(text: string): number }
  return json.rawJSON(String(value))
}
