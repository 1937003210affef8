import { ImageDeleted, Type } from '@ctr/api'
import { removeImage } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const removeImageRoute = route({
  method: 'DELETE',
  path: '/images/:id',
  summary: 'Remove a name of an image, and the image with its last name',
  query: { force: 'boolean', noprune: 'boolean' },
  response: Type.Array(ImageDeleted),
  handle: async ({ engine }, { id, query }) => {
    if (id.trim() === '') throw new EngineError('INVALID_ARGUMENT', 'image name cannot be blank')
    return removeImage(engine, id, { force: query.force, prune: !query.noprune })
  },
})
