import { loadImages } from '@ctr/engine'
import { ANCIENT_API_MINOR } from '../../http/api-version.ts'
import { serveProgress } from '../../http/progress.ts'
import { route } from '../../http/route.ts'

export const loadImagesRoute = route({
  method: 'POST',
  path: '/images/load',
  summary: 'Load images from a tar archive (docker save, OCI layout; also compressed)',
  query: { quiet: 'boolean', platform: 'string' },
  oldestApiMinor: ANCIENT_API_MINOR,
  takesStream: true,
  status: 200,
  handle: async ({ engine }, call) => {
    await serveProgress(call, async (send) => {
      await loadImages(engine, await call.openInput(), {
        quiet: call.query.quiet,
        onProgress: send,
      })
    })
    return undefined
  },
})
