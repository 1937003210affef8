/**
 * Push parser for HTTP/1.1 responses (RFC 9112): content-length, chunked and until-close bodies, 1xx, and upgrades.
 * One parser serves a whole connection, one response after the other.
 */
export interface ResponseHead {
  readonly status: number
  /** Names in lower case; repeated headers joined by ", ". */
  readonly headers: Readonly<Record<string, string>>
  readonly keepAlive: boolean
}

export interface ParserEvents {
  /** 1xx, but 101: the response is still to come. */
  interim(status: number): void
  /** `isUpgraded`: after 101, or 200 to a request that asked for a hijack; all later bytes are the stream's, as `body`. */
  head(head: ResponseHead, isUpgraded: boolean): void
  body(chunk: Uint8Array): void
  /** The response is complete; the connection may carry the next. Never after an upgrade. */
  complete(): void
}

export interface Expectation {
  readonly method: string
  readonly hijack: boolean
}

const MAX_HEAD_BYTES = 256 * 1024
const MAX_CHUNK_LINE_BYTES = 256
const EMPTY = new Uint8Array(0)
const LF = 10

type State =
  | 'idle'
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk'
  | 'chunk-end'
  | 'trailer'
  | 'close'
  | 'raw'
  | 'done'

export class ResponseParser {
  readonly #events: ParserEvents
  #state: State = 'idle'
  #expectation: Expectation = { method: 'GET', hijack: false }
  #pending: Uint8Array = EMPTY
  #remaining = 0
  #keepAlive = false

  constructor(events: ParserEvents) {
    this.#events = events
  }

  /** A request was sent; its response comes next. */
  expect(expectation: Expectation): void {
    this.#expectation = expectation
    this.#state = 'head'
  }

  /** Throws on bytes that are no HTTP. */
  feed(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      switch (this.#state) {
        case 'idle':
          throw new Error('unexpected bytes after the response')
        case 'head':
          rest = this.#feedHead(rest)
          break
        case 'length':
        case 'chunk':
          rest = this.#feedCounted(rest)
          break
        case 'chunk-size':
        case 'chunk-end':
        case 'trailer':
          rest = this.#feedLine(rest)
          break
        case 'close':
          this.#events.body(rest)
          return
        case 'raw':
          this.#events.body(rest)
          return
        case 'done':
          return
      }
    }
  }

  /** The peer closed its side: true when that was a proper end. */
  finish(): boolean {
    if (this.#state === 'close') {
      this.#complete()
      return true
    }
    return this.#state === 'idle' || this.#state === 'raw' || this.#state === 'done'
  }

  #feedHead(chunk: Uint8Array): Uint8Array {
    const bytes = join(this.#pending, chunk)
    const end = headEnd(bytes)
    if (end < 0) {
      if (bytes.length > MAX_HEAD_BYTES) throw new Error('response header is too large')
      this.#pending = bytes
      return EMPTY
    }
    this.#pending = EMPTY
    const head = parseHead(latin1(bytes.subarray(0, end)))
    return this.#startBody(head, bytes.subarray(end))
  }

  #startBody(head: ResponseHead, rest: Uint8Array): Uint8Array {
    const { status, headers } = head
    if (status >= 100 && status < 200 && status !== 101) {
      this.#events.interim(status)
      return rest
    }
    this.#keepAlive = head.keepAlive
    const isUpgraded = status === 101 || (this.#expectation.hijack && isRawStream(head))
    if (isUpgraded) this.#state = 'raw'
    this.#events.head(head, isUpgraded)
    if (isUpgraded) return rest
    const hasNoBody = this.#expectation.method === 'HEAD' || status === 204 || status === 304
    if (hasNoBody) {
      this.#complete()
      return rest
    }
    if (/\bchunked\b/i.test(headers['transfer-encoding'] ?? '')) {
      this.#state = 'chunk-size'
      return rest
    }
    const length = headers['content-length']
    if (length === undefined) {
      this.#state = 'close'
      return rest
    }
    if (!/^\d{1,15}$/.test(length)) throw new Error(`invalid content-length: ${length}`)
    this.#remaining = Number(length)
    this.#state = 'length'
    if (this.#remaining === 0) this.#complete()
    return rest
  }

  #feedCounted(chunk: Uint8Array): Uint8Array {
    const part = chunk.length <= this.#remaining ? chunk : chunk.subarray(0, this.#remaining)
    this.#remaining -= part.length
    this.#events.body(part)
    if (this.#remaining === 0) {
      if (this.#state === 'length') this.#complete()
      else this.#state = 'chunk-end'
    }
    return chunk.subarray(part.length)
  }

  #feedLine(chunk: Uint8Array): Uint8Array {
    const end = chunk.indexOf(LF)
    const line = join(this.#pending, end < 0 ? chunk : chunk.subarray(0, end))
    if (line.length > MAX_CHUNK_LINE_BYTES && this.#state !== 'trailer')
      throw new Error('chunk header is too long')
    if (line.length > MAX_HEAD_BYTES) throw new Error('trailer is too long')
    if (end < 0) {
      this.#pending = line
      return EMPTY
    }
    this.#pending = EMPTY
    this.#endLine(latin1(line).trimEnd())
    return chunk.subarray(end + 1)
  }

  #endLine(line: string): void {
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new Error('chunk is longer than its size')
      this.#state = 'chunk-size'
      return
    }
    if (this.#state === 'trailer') {
      if (line === '') this.#complete()
      return
    }
    const size = /^([0-9a-f]{1,12})\s*(?:;|$)/i.exec(line)?.[1]
    if (size === undefined) throw new Error(`invalid chunk size: ${line}`)
    this.#remaining = Number.parseInt(size, 16)
    this.#state = this.#remaining === 0 ? 'trailer' : 'chunk'
  }

  #complete(): void {
    this.#state = this.#keepAlive ? 'idle' : 'done'
    this.#events.complete()
  }
}

/** dockerd answers 200 and hijacks when the client did not ask to upgrade, or through old proxies. */
function isRawStream(head: ResponseHead): boolean {
  const type = head.headers['content-type'] ?? ''
  return head.status === 200 && type.startsWith('application/vnd.docker.')
}

function parseHead(text: string): ResponseHead {
  const lines = text.split(/\r?\n/)
  const match = /^HTTP\/1\.([01]) (\d{3})/.exec(lines[0] ?? '')
  if (match === null) throw new Error('the peer does not speak HTTP/1.1')
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (const line of lines.slice(1)) {
    if (line === '') continue
    const colon = line.indexOf(':')
    if (colon <= 0) throw new Error(`invalid response header: ${line.slice(0, 80)}`)
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const connection = (headers['connection'] ?? '').toLowerCase()
  const keepAlive =
    match[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive')
  return { status: Number(match[2]), headers, keepAlive }
}

/** Index after the empty line that ends the head, or -1. */
function headEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === 13 && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  return Buffer.concat([first, second])
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
