import { ContainerCreate } from '@ctr/api'
import { explainContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { createRequest } from './create.ts'

/** Ours: what a start of this container would do on the host, operation by operation. */
export const explainContainerRoute = route({
  method: 'POST',
  path: '/containers/explain',
  summary: 'Show the launch program of a container without making anything',
  query: { name: 'string', platform: 'string' },
  body: ContainerCreate,
  handle: async ({ engine }, call) => {
    const text = await explainContainer(engine, createRequest(call.body, call.query, call.apiMinor))
    const output = await call.openOutput('text/plain; charset=utf-8')
    output.end(text)
    return undefined
  },
})
