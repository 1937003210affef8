import { DistributionInspect } from '@ctr/api'
import { route } from '../../http/route.ts'
import { parseRegistryAuth } from './registry-auth.ts'

export const inspectDistributionRoute = route({
  method: 'GET',
  path: '/distribution/:id/json',
  summary: 'What a registry has under a name, without pulling it',
  response: DistributionInspect,
  handle: async ({ engine }, { id, headers, signal }): Promise<DistributionInspect> => {
    const auth = parseRegistryAuth(headers['x-registry-auth'])
    const { mediaType, digest, size, platforms } = await engine.images.distribution(id, {
      ...(auth === undefined ? {} : { auth }),
      signal,
    })
    return {
      Descriptor: { mediaType, digest, size },
      Platforms: platforms.map(({ os, architecture, variant }) => ({
        architecture: architecture ?? '',
        os,
        ...(variant === undefined ? {} : { variant }),
      })),
    }
  },
})
