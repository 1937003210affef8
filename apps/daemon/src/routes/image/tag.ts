import { tagImage } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const tagImageRoute = route({
  method: 'POST',
  path: '/images/:id/tag',
  summary: 'Give an image another name',
  query: { repo: 'string', tag: 'string' },
  status: 201,
  handle: async ({ engine }, { id, query: { repo, tag } }) => {
    if (repo === undefined) throw new EngineError('INVALID_ARGUMENT', 'invalid reference format')
    tagImage(engine, id, tag === undefined ? repo : `${repo}:${tag}`)
    return undefined
  },
})
