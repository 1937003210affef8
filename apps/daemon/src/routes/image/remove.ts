import { ImageDeleted, Type } from '@ctr/api'
import { assertPlatform, removeImage } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { parseOciPlatform } from './oci-platform.ts'

export const removeImageRoute = route({
  method: 'DELETE',
  path: '/images/:id',
  summary: 'Remove a name of an image, and the image with its last name',
  query: { force: 'boolean', noprune: 'boolean', platforms: 'strings' },
  response: Type.Array(ImageDeleted),
  handle: async ({ engine }, { id, query, apiMinor }) => {
    if (id.trim() === '') throw new EngineError('INVALID_ARGUMENT', 'image name cannot be blank')
    if (apiMinor >= 50) {
      for (const platform of query.platforms) {
        assertPlatform(engine.images.get(id).config, id, parseOciPlatform(platform))
      }
    }
    return removeImage(engine, id, { force: query.force, prune: !query.noprune })
  },
})
