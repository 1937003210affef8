import { removeVolume } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const removeVolumeRoute = route({
  method: 'DELETE',
  path: '/volumes/:id',
  summary: 'Remove a volume and its content',
  query: { force: 'boolean' },
  status: 204,
  handle: async ({ engine }, { id, query }) => removeVolume(engine, id, { force: query.force }),
})
