import { containerStats } from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { writeLine } from '../../http/json-lines.ts'
import { isTrue } from '../../http/query.ts'
import { route } from '../../http/route.ts'

/** Docker's cadence. */
const INTERVAL_MS = 1000

export const containerStatsRoute = route({
  method: 'GET',
  path: '/containers/:id/stats',
  summary: 'Get the resource usage of a container, once or every second; also as a WebSocket',
  query: { stream: 'string', 'one-shot': 'boolean' },
  webSocket: 'also',
  status: 200,
  handle: async ({ engine }, { id, query, apiMinor, signal, openOutput }) => {
    // The default is true: absent differs from empty here.
    const isStream = query.stream === undefined || isTrue(query.stream)
    let previous = await containerStats(engine, id)
    // Of v1.41.
    if (!isStream && query['one-shot'] && apiMinor >= 41) return previous
    const output = await openOutput('application/json')
    do {
      await pause(INTERVAL_MS, signal)
      if (signal.aborted) break
      const sample = await containerStats(engine, id).catch((error: unknown) => {
        if (isEngineError(error) && error.code === 'NOT_FOUND') return undefined
        throw error
      })
      // The container was removed: the stream ends, it does not break.
      if (sample === undefined) break
      await writeLine(output, {
        ...sample,
        preread: previous.read,
        precpu_stats: previous.cpu_stats,
      })
      previous = sample
    } while (isStream && !signal.aborted)
    output.end()
    return undefined
  },
})

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
