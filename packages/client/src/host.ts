import { EngineError } from '@ctr/errdefs'

/** Where a daemon listens. `address` is the text to show to users. */
export type Host =
  | { readonly kind: 'unix'; readonly path: string; readonly address: string }
  | {
      readonly kind: 'tcp'
      readonly hostname: string
      readonly port: number
      readonly tls: TlsFiles | undefined
      readonly address: string
    }
  | {
      readonly kind: 'ssh'
      readonly destination: string
      readonly port: number | undefined
      readonly socketPath: string | undefined
      readonly address: string
    }

export interface TlsFiles {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly verify: boolean
}

/** Parses `unix:///path`, `tcp://host:port`, `ssh://user@host:port/socket` or a bare `/path`. */
export function parseHost(text: string, tls?: TlsFiles): Host {
  if (text.startsWith('/')) return { kind: 'unix', path: text, address: `unix://${text}` }
  const separator = text.indexOf('://')
  if (separator < 0) throw invalidHost(text)
  const scheme = text.slice(0, separator)
  const rest = text.slice(separator + 3)
  switch (scheme) {
    case 'unix':
      if (rest === '') throw invalidHost(text)
      return { kind: 'unix', path: rest, address: text }
    case 'tcp':
    case 'http':
    case 'https':
      return parseTcp(text, scheme, rest, tls)
    case 'ssh':
      return parseSsh(text)
    default:
      throw invalidHost(text)
  }
}

function parseTcp(text: string, scheme: string, rest: string, tls: TlsFiles | undefined): Host {
  let url: URL
  try {
    url = new URL(`http://${rest}`)
  } catch (error) {
    throw invalidHost(text, error)
  }
  const secure = tls !== undefined || scheme === 'https'
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = Number(url.port || portOf(rest) || (secure ? 2376 : 2375))
  const files = tls ?? { ca: undefined, cert: undefined, key: undefined, verify: true }
  return { kind: 'tcp', hostname, port, tls: secure ? files : undefined, address: text }
}

/** URL drops the default port 80 of http. */
function portOf(rest: string): string {
  return /:(\d+)(?:\/|$)/.exec(rest)?.[1] ?? ''
}

function parseSsh(text: string): Host {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    throw invalidHost(text, error)
  }
  // A leading dash would be read by ssh as an option.
  if (url.hostname === '' || url.hostname.startsWith('-') || url.password !== '')
    throw invalidHost(text)
  const user = decodeURIComponent(url.username)
  return {
    kind: 'ssh',
    destination: user === '' ? url.hostname : `${user}@${url.hostname}`,
    port: url.port === '' ? undefined : Number(url.port),
    socketPath: url.pathname === '' || url.pathname === '/' ? undefined : url.pathname,
    address: text,
  }
}

function invalidHost(text: string, cause?: unknown): EngineError {
  return new EngineError('INVALID_ARGUMENT', `unable to parse docker host \`${text}\``, { cause })
}
