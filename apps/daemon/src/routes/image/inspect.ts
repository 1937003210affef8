import { ImageInspect } from '@ctr/api'
import { route } from '../../http/route.ts'
import { renderImage } from './render.ts'

export const inspectImageRoute = route({
  method: 'GET',
  path: '/images/:id/json',
  summary: 'Inspect an image',
  response: ImageInspect,
  handle: async ({ engine }, { id, apiMinor }) => {
    const image = engine.images.get(id)
    return renderImage(image, apiMinor, engine.images.graphDriverData(image))
  },
})
