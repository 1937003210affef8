import { resizeContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { terminalSize } from '../../http/terminal-size.ts'

export const resizeContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/resize',
  summary: 'Set the size of the terminal of a container',
  query: { h: 'integer', w: 'integer' },
  status: 200,
  handle: async ({ engine }, { id, query }) => {
    const { rows, columns } = terminalSize(query)
    await resizeContainer(engine, id, rows, columns)
    return undefined
  },
})
