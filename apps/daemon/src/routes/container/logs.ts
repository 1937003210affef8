import { pipeline } from 'node:stream/promises'
import { containerLogs } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'
import { streamType } from '../../http/stdio.ts'
import { unframed } from '../../http/unframe.ts'
import { nowNs, parseTime } from '../../time.ts'

export const containerLogsRoute = route({
  method: 'GET',
  path: '/containers/:id/logs',
  summary: 'Get the output of a container, past and (with follow) to come; also as a WebSocket',
  query: {
    follow: 'boolean',
    stdout: 'boolean',
    stderr: 'boolean',
    since: 'string',
    until: 'string',
    timestamps: 'boolean',
    details: 'boolean',
    tail: 'string',
  },
  webSocket: 'also',
  status: 200,
  handle: async ({ engine }, { id, query, apiMinor, signal, openOutput, isWebSocket }) => {
    if (!query.stdout && !query.stderr) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        'Bad parameters: you must choose at least one stream',
      )
    }
    const sinceNs = timeOf('since', query.since)
    const untilNs = timeOf('until', query.until)
    const tail = tailOf(query.tail)
    const { hasTty, stream } = await containerLogs(
      engine,
      id,
      {
        stdout: query.stdout,
        stderr: query.stderr,
        follow: query.follow,
        timestamps: query.timestamps,
        details: query.details,
        ...(tail === undefined ? {} : { tail }),
        ...(sinceNs === undefined ? {} : { sinceNs }),
        ...(untilNs === undefined ? {} : { untilNs }),
      },
      signal,
    )
    const output = await openOutput(streamType(hasTty, apiMinor))
    if (isWebSocket && !hasTty) await pipeline(stream, unframed(), output)
    else await sendStream(stream, output)
    return undefined
  },
})

/** `0` and nothing: from the beginning, or to the end. */
function timeOf(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined || text === '0') return undefined
  const time = parseTime(text, nowNs())
  if (time === undefined) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid value for "${name}": ${JSON.stringify(text)}`,
    )
  }
  return time
}

/** moby: what is not a number means all lines. */
function tailOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}
