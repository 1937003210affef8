import { EngineError, isErrno } from '@ctr/errdefs'

/** What Docker's users know from Go: `Get "https://x/v2/": dial tcp 10.1.2.3:443: connect: connection refused`. */
export function connectionError(method: string, url: URL, error: unknown): EngineError {
  const verb = `${method.slice(0, 1)}${method.slice(1).toLowerCase()}`
  // fetch() keeps the reason in the cause.
  const reason = error instanceof TypeError && error.cause instanceof Error ? error.cause : error
  return new EngineError('UPSTREAM', `${verb} "${url.href}": ${describe(url, reason)}`, {
    cause: error,
  })
}

function describe(url: URL, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  // Several addresses tried: the first one's failure stands for all.
  const first = error instanceof AggregateError ? error.errors[0] : error
  const { address, port } = first as { address?: string; port?: number }
  const where = address === undefined ? url.host : `${address}:${port}`
  if (isErrno(first, 'ECONNREFUSED')) return `dial tcp ${where}: connect: connection refused`
  if (isErrno(first, 'ENOTFOUND')) return `dial tcp: lookup ${url.hostname}: no such host`
  if (isErrno(first, 'EAI_AGAIN')) {
    return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`
  }
  if (isErrno(first, 'EHOSTUNREACH')) return `dial tcp ${where}: connect: no route to host`
  if (isErrno(first, 'ENETUNREACH')) return `dial tcp ${where}: connect: network is unreachable`
  if (isErrno(first, 'ETIMEDOUT') || /connect timeout/.test(text))
    return `dial tcp ${where}: i/o timeout`
  if (isErrno(first, 'ECONNRESET')) return 'connection reset by peer'
  return text === '' ? 'connection failed' : text
}
