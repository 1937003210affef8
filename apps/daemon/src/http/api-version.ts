import { EngineError } from '@ctr/errdefs'

/** Minor numbers of the API versions that are served: v1.24 … v1.51. */
const MIN_API_MINOR = 24
export const MAX_API_MINOR = 51
export const API_VERSION = `1.${MAX_API_MINOR}`
export const MIN_API_VERSION = `1.${MIN_API_MINOR}`

/** The minor number of `1.44`; throws INVALID_ARGUMENT with Docker's texts outside the window. */
export function parseApiVersion(text: string): number {
  if (text !== knownText) {
    knownMinor = readApiVersion(text)
    knownText = text
  }
  return knownMinor
}

/** A client says the same one in each request. */
let knownText = ''
let knownMinor = 0

function readApiVersion(text: string): number {
  const [major = 0, minor = 0] = text.split('.').map(Number)
  if (major > 1 || (major === 1 && minor > MAX_API_MINOR)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `client version ${text} is too new. Maximum supported API version is ${API_VERSION}`,
    )
  }
  if (major < 1 || minor < MIN_API_MINOR) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `client version ${text} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    )
  }
  return minor
}
