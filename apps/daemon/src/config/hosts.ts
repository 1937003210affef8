import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { EngineError } from '@ctr/errdefs'

/** One value of `-H`. */
export type Host =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Sockets that systemd has opened: all, or the one with this number. sd_listen_fds(3) */
  | { readonly kind: 'fd'; readonly fd: number | 'all' }

/** Files of `--tlscacert` and so on. With `ca` clients need a certificate that it has signed. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca?: string
}

export const DEFAULT_SOCKET = '/var/run/ctr.sock'

/** Docker's ports. */
const PLAIN_PORT = 2375
const TLS_PORT = 2376

/** Without `-H`. With TLS it is a TCP port, as of dockerd: nobody asks for TLS to speak through a socket of this machine. */
export function defaultHost(tls: TlsFiles | undefined): Host {
  return tls === undefined
    ? { kind: 'unix', path: DEFAULT_SOCKET }
    : { kind: 'tcp', host: '127.0.0.1', port: TLS_PORT }
}

/** Throws INVALID_ARGUMENT for what cannot be listened on, and for what would give the machine away. */
export function parseHost(text: string, tls: TlsFiles | undefined): Host {
  if (text === '') return defaultHost(tls)
  if (/^[./]/.test(text)) throw invalid(text, `a path is written unix://${text}`)
  const [scheme, rest] = /^[a-z]+:\/\//.test(text) ? splitOnce(text, '://') : ['tcp', text]
  switch (scheme) {
    case 'unix':
      return unixHost(text, rest)
    case 'tcp':
      return tcpHost(text, rest, tls)
    case 'fd':
      if (rest === '' || rest === '*') return { kind: 'fd', fd: 'all' }
      if (/^[0-9]{1,4}$/.test(rest) && Number(rest) >= 3) return { kind: 'fd', fd: Number(rest) }
      throw invalid(text, 'failed to parse systemd fd address: should be a number from 3 on')
    default:
      throw invalid(text, 'must begin with unix://, tcp:// or fd://')
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return [text.slice(0, at), text.slice(at + separator.length)]
}

function unixHost(text: string, path: string): Host {
  const absolute = resolve(path === '' ? DEFAULT_SOCKET : path)
  // unix(7): sun_path has 108 bytes, the last of them NUL.
  if (Buffer.byteLength(absolute) > 107) throw invalid(text, 'a socket path has at most 107 bytes')
  return { kind: 'unix', path: absolute }
}

function tcpHost(text: string, authority: string, tls: TlsFiles | undefined): Host {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*)(?::([0-9]{1,5}))?\/?$/.exec(authority)
  const port = Number(match?.[2] ?? (tls === undefined ? PLAIN_PORT : TLS_PORT))
  if (match === null || port > 65_535) throw invalid(text, 'must be tcp://host:port')
  const host = match[1] === '' ? '127.0.0.1' : (match[1] ?? '').replace(/^\[(.*)\]$/, '$1')
  const danger = exposure(host, tls)
  if (danger !== undefined) throw invalid(text, danger)
  return { kind: 'tcp', host, port }
}

/** Why an address must not be listened on: whoever speaks to the API is root. Also for addresses systemd has bound. */
export function exposure(host: string, tls: TlsFiles | undefined): string | undefined {
  if (isLoopback(host) || tls?.ca !== undefined) return undefined
  const what = tls === undefined ? 'TCP without TLS' : 'TLS without client certificates'
  return `${what} off loopback would make everybody on the network root of this machine: use --tlsverify with --tlscacert, --tlscert and --tlskey, or ssh://, or listen on 127.0.0.1`
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  if (isIP(host) === 4) return host.startsWith('127.')
  return isIP(host) === 6 && /^(?:::1|(?:0*:){7}0*1|::ffff:127\..*)$/i.test(host)
}

function invalid(host: string, why: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid host ${JSON.stringify(host)}: ${why}`)
}
