import { AuthConfig, decode } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'

/** `X-Registry-Auth`: base64url JSON; older clients send plain base64, and Buffer reads both. */
export function parseRegistryAuth(header: string | string[] | undefined): AuthConfig | undefined {
  const text = Array.isArray(header) ? header[0] : header
  if (text === undefined || text === '') return undefined
  const auth = decode(AuthConfig, parse(text))
  return Object.keys(auth).length === 0 ? undefined : auth
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) ?? {}
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', 'X-Registry-Auth is not base64 of a JSON document', {
      cause,
    })
  }
}
