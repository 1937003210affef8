import { decode, HistoryItem, Type } from '@ctr/api'
import { assertPlatform } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { jsonFault } from '../../http/json-fault.ts'
import { route } from '../../http/route.ts'
import { renderHistory } from './render.ts'

export const imageHistoryRoute = route({
  method: 'GET',
  path: '/images/:id/history',
  summary: 'Show how an image was made',
  query: { platform: 'string' },
  response: Type.Array(HistoryItem),
  handle: async ({ engine }, { id, query, apiMinor }) => {
    if (apiMinor >= 48 && query.platform !== undefined && query.platform !== '') {
      const { os, architecture } = parseOciPlatform(query.platform)
      assertPlatform(engine.images.get(id).config, id, `${os}/${architecture}`)
    }
    return engine.images.history(id).map(renderHistory)
  },
})

/** JSON of the image-spec's platform, since v1.48. moby api/server/httputils DecodePlatform */
function parseOciPlatform(text: string): { os: string; architecture: string } {
  const invalid = (reason: string): EngineError =>
    new EngineError('INVALID_ARGUMENT', `failed to parse platform: ${reason}`)
  const parse = (): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      throw invalid(jsonFault(Buffer.from(text)))
    }
  }
  const platform = decode(Platform, parse() ?? {})
  const { os = '', architecture = '' } = platform
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided')
  return { os, architecture }
}

const Platform = Type.Partial({ os: Type.String(), architecture: Type.String() })
