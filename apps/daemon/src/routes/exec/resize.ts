import { resizeExec } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { terminalSize } from '../../http/terminal-size.ts'

export const resizeExecRoute = route({
  method: 'POST',
  path: '/exec/:id/resize',
  summary: 'Set the size of the terminal of an exec',
  query: { h: 'integer', w: 'integer' },
  status: 200,
  handle: async ({ engine }, { id, query }) => {
    const { rows, columns } = terminalSize(query)
    await resizeExec(engine, id, rows, columns)
    return undefined
  },
})
