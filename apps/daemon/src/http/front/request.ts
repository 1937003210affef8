import type { IncomingHttpHeaders } from 'node:http'

/** A request that has come in one piece, or all but the end of its body. */
export interface PlainRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Of the body, in the bytes that were read. */
  readonly bodyAt: number
  readonly bodyLength: number
  /** It asks for `tcp`, Docker's hijack. */
  readonly isUpgrade: boolean
}

/** Larger ones are Node's. */
const MAX_HEAD_BYTES = 4096
const MAX_BODY_BYTES = 64 * 1024

const REQUEST_LINE = /^(GET|HEAD|POST|PUT|DELETE) (\/[!-~]*) HTTP\/1\.1$/
const FIELD = /^([A-Za-z0-9_-]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?)?[ \t]*$/
const LENGTH = /^(?:0|[1-9][0-9]{0,7})$/

/** They change how the request ends, or what its answer is. */
const OTHERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'trailer',
  'te',
  'content-encoding',
  'keep-alive',
  'proxy-connection',
  'ctr-body-file',
])

/**
 * Reads what nearly every client of this API sends: one head, at most `Content-Length` of body, on a connection that stays or is
 * asked for.
 * Undefined for all else, be it right or wrong: Node's parser decides about that.
 */
export function readPlainRequest(bytes: Buffer): PlainRequest | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1 || end > MAX_HEAD_BYTES) return undefined
  const head = bytes.toString('latin1', 0, end)
  const firstEnd = head.indexOf('\r\n')
  const request = REQUEST_LINE.exec(firstEnd === -1 ? head : head.slice(0, firstEnd))
  if (request === null || firstEnd === -1) return undefined
  const headers = knownFields(head.slice(firstEnd + 2))
  if (headers === undefined) return undefined
  const { host, 'content-length': length = '0' } = headers
  if (host === undefined || !LENGTH.test(length)) return undefined
  const [, method = '', url = ''] = request
  const bodyLength = Number(length)
  const isUpgrade = headers.upgrade !== undefined
  if (bodyLength > MAX_BODY_BYTES || !isKnownUse(headers)) return undefined
  return { method, url, headers, bodyAt: end + 4, bodyLength, isUpgrade }
}

/** Of the connection: it stays, or is asked for as dockerd's clients do. */
function isKnownUse({ connection, upgrade }: IncomingHttpHeaders): boolean {
  const use = connection?.toLowerCase()
  if (upgrade === undefined) return use === undefined || use === 'keep-alive'
  return use === 'upgrade' && upgrade.toLowerCase() === 'tcp'
}

/** A client sends the same ones over and over. */
const known = new Map<string, IncomingHttpHeaders>()
const KNOWN_MAX = 64

function knownFields(text: string): IncomingHttpHeaders | undefined {
  const kept = known.get(text)
  if (kept !== undefined) return kept
  const fields = readFields(text.split('\r\n'))
  if (fields === undefined) return undefined
  if (known.size === KNOWN_MAX) known.clear()
  known.set(text, Object.freeze(fields))
  return fields
}

/** By name in lower case. Undefined: one comes twice, or has bytes that need care. */
function readFields(lines: readonly string[]): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const field = FIELD.exec(line)
    if (field === null) return undefined
    const name = (field[1] ?? '').toLowerCase()
    if (OTHERS.has(name) || Object.hasOwn(headers, name)) return undefined
    headers[name] = field[2] ?? ''
  }
  return headers
}
