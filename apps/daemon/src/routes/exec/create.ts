import { ExecConfig, Type } from '@ctr/api'
import { createExec } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { parseDetachKeys } from '../../http/detach-keys.ts'
import { route } from '../../http/route.ts'

export const createExecRoute = route({
  method: 'POST',
  path: '/containers/:id/exec',
  summary: 'Prepare an additional process in a running container',
  body: ExecConfig,
  status: 201,
  response: Type.Object({ Id: Type.String() }),
  handle: async ({ engine }, { id, body, apiMinor }) => {
    if ((body.Cmd ?? []).length === 0) {
      throw new EngineError('INVALID_ARGUMENT', 'No exec command specified')
    }
    parseDetachKeys(body.DetachKeys)
    const { ConsoleSize, ...older } = body
    // ConsoleSize is of v1.42.
    const config = apiMinor < 42 || ConsoleSize === undefined ? older : { ...older, ConsoleSize }
    return { Id: await createExec(engine, id, config) }
  },
})
