import type { IncomingHttpHeaders } from 'node:http'
import { startContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const startContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/start',
  summary: 'Start a container',
  query: { detachKeys: 'string', checkpoint: 'string', 'checkpoint-dir': 'string' },
  status: 204,
  handle: async ({ engine }, { id, query, headers }) => {
    assertNoBody(headers)
    const { checkpoint: name, 'checkpoint-dir': directory = '' } = query
    return startContainer(engine, id, name === undefined ? {} : { checkpoint: { name, directory } })
  },
})

/** Before v1.24 it was a HostConfig. A body of no document (`{}`, `null`) is let pass, as by moby. */
function assertNoBody(headers: IncomingHttpHeaders): void {
  const isChunked = headers['transfer-encoding'] !== undefined
  if (!isChunked && Number(headers['content-length'] ?? 0) <= 7) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
  )
}
