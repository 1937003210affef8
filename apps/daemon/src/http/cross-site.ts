import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/**
 * Why a request on TCP is refused, if a web page may be behind it. Browsers send `Origin` with WebSockets and with
 * everything that changes something: it must be that of this very address. On plain TCP the name in `Host` must be one
 * that nobody else can point at us (DNS rebinding); with TLS the certificate sees to that.
 */
export function crossSiteRefusal(
  headers: IncomingHttpHeaders,
  o: { readonly isPlain: boolean },
): string | undefined {
  const { host, origin } = headers
  if (o.isPlain && host !== undefined && !isOwnName(nameOf(host))) {
    return `Host ${JSON.stringify(host)} is not a name of this machine`
  }
  if (origin === undefined) return undefined
  const expected = `${o.isPlain ? 'http' : 'https'}://${host ?? ''}`
  if (origin.toLowerCase() === expected.toLowerCase()) return undefined
  return `requests of web pages from ${JSON.stringify(origin)} are refused`
}

function nameOf(host: string): string {
  return host.replace(/:[0-9]+$/, '').toLowerCase()
}

/** Addresses are not names: no DNS server decides about them. */
function isOwnName(name: string): boolean {
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  // RFC 6761 §6.3. What is no name at all is not one of ours.
  const isLocal = name === 'localhost' || /^[a-z0-9.-]+\.localhost$/.test(name)
  return isLocal || name === hostname().toLowerCase()
}
