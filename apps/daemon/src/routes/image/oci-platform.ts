import { decode, Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { jsonFault } from '../../http/json-fault.ts'

const Platform = Type.Partial({ os: Type.String(), architecture: Type.String() })

/**
 * `os/architecture` of JSON as the image-spec has it, or '' for none. INVALID_ARGUMENT with Docker's texts.
 * moby api/server/httputils DecodePlatform
 */
export function parseOciPlatform(text: string | undefined): string {
  if (text === undefined || text === '') return ''
  const { os = '', architecture = '' } = decode(Platform, parse(text) ?? {})
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided')
  return `${os}/${architecture}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(jsonFault(Buffer.from(text)))
  }
}

function invalid(reason: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `failed to parse platform: ${reason}`)
}
