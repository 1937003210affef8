import { type Digest, isDigest } from './digest.ts'

/**
 * An image reference, `[domain/]path[:tag][@digest]`, with Docker's defaults filled in: domain docker.io, and library/
 * before a single-word path there. distribution/reference
 */
export interface Reference {
  /** Host with an optional port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string
  /** `library/busybox`. */
  readonly path: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
}

export const DEFAULT_DOMAIN = 'docker.io'
const DEFAULT_TAG = 'latest'
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io'
const OFFICIAL_PREFIX = 'library/'
/** Of domain and path together. */
const MAX_NAME_LENGTH = 255

const DOMAIN_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = new RegExp(
  `^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?$`,
)
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[\w][\w.-]{0,127}$/
const HEX_ID = /^[a-f0-9]{64}$/

/** A reference that cannot be parsed; the message is Docker's. */
export class ReferenceError extends Error {
  override readonly name = 'ReferenceError'
}

/** Parses what a user wrote. No tag and no digest stay absent: see `withDefaultTag`. */
export function parseReference(text: string): Reference {
  // A name of 64 hex digits could not be told from an id.
  if (HEX_ID.test(text)) {
    throw new ReferenceError(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    )
  }
  const at = text.indexOf('@')
  const digest = at === -1 ? undefined : text.slice(at + 1)
  const named = at === -1 ? text : text.slice(0, at)
  const colon = named.lastIndexOf(':')
  const hasTag = colon > named.lastIndexOf('/')
  const tag = hasTag ? named.slice(colon + 1) : undefined
  const { domain, path } = splitDomain(hasTag ? named.slice(0, colon) : named)
  if (path !== path.toLowerCase()) {
    throw new ReferenceError(
      `invalid reference format: repository name (${path}) must be lowercase`,
    )
  }
  if (
    !DOMAIN.test(domain) ||
    !PATH.test(path) ||
    (tag !== undefined && !TAG.test(tag)) ||
    (digest !== undefined && !isDigest(digest))
  ) {
    throw new ReferenceError('invalid reference format')
  }
  if (domain.length + 1 + path.length > MAX_NAME_LENGTH) {
    throw new ReferenceError(`repository name must not be more than ${MAX_NAME_LENGTH} characters`)
  }
  return { domain, path, tag, digest: digest as Digest | undefined }
}

/** The first component is a domain only if it looks like one: a dot, a port, `localhost`, or an upper-case letter. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash === -1 ? '' : name.slice(0, slash)
  const isDomain =
    /[.:]/.test(first) || first === 'localhost' || (first !== '' && first !== first.toLowerCase())
  const domain = isDomain ? first : DEFAULT_DOMAIN
  const path = isDomain ? name.slice(slash + 1) : name
  if (domain !== DEFAULT_DOMAIN && domain !== LEGACY_DEFAULT_DOMAIN) return { domain, path }
  return {
    domain: DEFAULT_DOMAIN,
    path: path.includes('/') ? path : `${OFFICIAL_PREFIX}${path}`,
  }
}

/** The same with tag `latest`, if it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  const isBare = reference.tag === undefined && reference.digest === undefined
  return isBare ? { ...reference, tag: DEFAULT_TAG } : reference
}

/** The whole name without tag and digest: `docker.io/library/busybox`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

/** The name as Docker shows it: `busybox`, `localhost:5000/a/b`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryOf(reference)
  return reference.path.startsWith(OFFICIAL_PREFIX) &&
    !reference.path.slice(OFFICIAL_PREFIX.length).includes('/')
    ? reference.path.slice(OFFICIAL_PREFIX.length)
    : reference.path
}

/** The reference as Docker shows it: `busybox:latest`, `busybox@sha256:…`. */
export function familiarReference(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`
}

/** The reference in full: `docker.io/library/busybox:latest`. */
export function canonicalReference(reference: Reference): string {
  return `${repositoryOf(reference)}${suffix(reference)}`
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}
