import { assertPlatform, pushImage } from '@ctr/engine'
import { serveProgress } from '../../http/progress.ts'
import { route } from '../../http/route.ts'
import { parseOciPlatform } from './oci-platform.ts'
import { parseRegistryAuth } from './registry-auth.ts'

export const pushImageRoute = route({
  method: 'POST',
  path: '/images/:id/push',
  summary: 'Push one tag of an image, or all of a repository, to its registry',
  query: { tag: 'string', platform: 'string' },
  takesStream: true,
  status: 200,
  handle: async ({ engine }, call) => {
    const { tag } = call.query
    const reference = tag === undefined ? call.id : `${call.id}:${tag}`
    if (call.apiMinor >= 46) {
      const platform = parseOciPlatform(call.query.platform)
      // As dockerd: what is not here at all is the push's own business.
      const image = platform === '' ? undefined : engine.images.find(reference)
      if (image !== undefined) assertPlatform(image.config, reference, platform)
    }
    const auth = parseRegistryAuth(call.headers['x-registry-auth'])
    await serveProgress(call, async (send) => {
      await pushImage(engine, reference, {
        ...(auth === undefined ? {} : { auth }),
        onProgress: send,
        signal: call.signal,
      })
    })
    return undefined
  },
})
