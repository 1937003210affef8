import { ExecInspect } from '@ctr/api'
import { getExec } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderExec } from './render.ts'

export const inspectExecRoute = route({
  method: 'GET',
  path: '/exec/:id/json',
  summary: 'Inspect an exec',
  response: ExecInspect,
  handle: async ({ engine }, { id }) => renderExec(getExec(engine, id)),
})
