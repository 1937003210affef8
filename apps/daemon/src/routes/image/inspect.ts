import { ImageInspect } from '@ctr/api'
import { assertPlatform } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { parseOciPlatform } from './oci-platform.ts'
import { renderImage } from './render.ts'

export const inspectImageRoute = route({
  method: 'GET',
  path: '/images/:id/json',
  summary: 'Inspect an image',
  query: { platform: 'string', manifests: 'boolean' },
  response: ImageInspect,
  handle: async ({ engine }, { id, query, apiMinor }) => {
    const platform = apiMinor >= 49 ? parseOciPlatform(query.platform) : ''
    if (platform !== '' && query.manifests) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        'conflicting options: manifests and platform options cannot both be set',
      )
    }
    const image = engine.images.get(id)
    assertPlatform(image.config, id, platform)
    return renderImage(image, apiMinor, engine.images.graphDriverData(image))
  },
})
