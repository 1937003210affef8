import { renameContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const renameContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/rename',
  summary: 'Give a container another name',
  query: { name: 'string' },
  status: 204,
  handle: async ({ engine }, { id, query }) => {
    if (query.name === undefined) {
      throw new EngineError('INVALID_ARGUMENT', 'Neither old nor new names may be empty')
    }
    return renameContainer(engine, id, query.name)
  },
})
