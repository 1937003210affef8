import { ImageDeleted, Type } from '@ctr/api'
import { removeImage } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const removeImageRoute = route({
  method: 'DELETE',
  path: '/images/:id',
  summary: 'Remove a name of an image, and the image with its last name',
  query: { force: 'boolean', noprune: 'boolean' },
  response: Type.Array(ImageDeleted),
  handle: async ({ engine }, { id, query }) =>
    removeImage(engine, id, { force: query.force, prune: !query.noprune }),
})
