import { EngineError } from '@ctr/errdefs'

/** Minor numbers of the API versions that are served: v1.24 … v1.51. */
const MIN_API_MINOR = 24
export const MAX_API_MINOR = 51
export const API_VERSION = `1.${MAX_API_MINOR}`
export const MIN_API_VERSION = `1.${MIN_API_MINOR}`

/**
 * For routes that are the same since then: skopeo, podman and buildah of Debian 12 ask for images with v1.22, whatever the
 * daemon says. Docker itself serves v1.12 to those who start it with DOCKER_MIN_API_VERSION.
 */
export const ANCIENT_API_MINOR = 12

/**
 * The minor number of `1.44`, at least 24; throws INVALID_ARGUMENT with Docker's texts outside the window, which is wider for
 * routes with an `oldest` of their own.
 */
export function parseApiVersion(text: string, oldest = MIN_API_MINOR): number {
  if (text !== knownText || oldest !== knownOldest) {
    knownMinor = Math.max(readApiVersion(text, oldest), MIN_API_MINOR)
    knownText = text
    knownOldest = oldest
  }
  return knownMinor
}

/** A client says the same one in each request. */
let knownText = ''
let knownOldest = MIN_API_MINOR
let knownMinor = 0

function readApiVersion(text: string, oldest: number): number {
  const [major = 0, minor = 0] = text.split('.').map(Number)
  if (major > 1 || (major === 1 && minor > MAX_API_MINOR)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `client version ${text} is too new. Maximum supported API version is ${API_VERSION}`,
    )
  }
  if (major < 1 || minor < oldest) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `client version ${text} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    )
  }
  return minor
}
