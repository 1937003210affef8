import { type IncomingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http'
import { type Duplex, Readable, Writable } from 'node:stream'
import { CLIENT_GONE } from '../client-gone.ts'
import type { Call } from '../route.ts'
import type { AnswerHeaders } from '../stream.ts'

interface Parts {
  readonly id: string
  readonly query: Call['query']
  readonly body: unknown
  readonly headers: IncomingHttpHeaders
  /** Of the body. */
  readonly bytes: Buffer
  readonly apiMinor: number
  /** Sends the head of a chunked answer, and what follows. */
  readonly begin: (headers: string, contentType: string) => ChunkSink
  readonly takeOver: (contentType: string, headers?: AnswerHeaders) => Duplex
}

export interface ChunkSink {
  readonly write: (chunk: Buffer, done: (error?: Error | null) => void) => void
  readonly end: (done: (error?: Error | null) => void) => void
}

/** A plain request on its way through its handler. What most handlers do not ask for is made when one does. */
export class FrontCall implements Call {
  readonly id: string
  readonly name = ''
  readonly query: Call['query']
  readonly body: Call['body']
  readonly headers: IncomingHttpHeaders
  readonly isWebSocket = false
  readonly apiMinor: number
  readonly #bytes: Buffer
  readonly #begin: Parts['begin']
  readonly #takeOver: Parts['takeOver']
  #hangUp: AbortController | undefined
  #isClientGone = false
  #headers = ''
  #stream: Writable | undefined

  constructor(parts: Parts) {
    this.id = parts.id
    this.query = parts.query
    this.body = parts.body as Call['body']
    this.headers = parts.headers
    this.apiMinor = parts.apiMinor
    this.#bytes = parts.bytes
    this.#begin = parts.begin
    this.#takeOver = parts.takeOver
  }

  /** Lines of the head that the handler has set. */
  get headerLines(): string {
    return this.#headers
  }

  get stream(): Writable | undefined {
    return this.#stream
  }

  get isClientGone(): boolean {
    return this.#isClientGone
  }

  get signal(): AbortSignal {
    if (this.#hangUp === undefined) {
      this.#hangUp = new AbortController()
      if (this.#isClientGone) this.#hangUp.abort(CLIENT_GONE)
    }
    return this.#hangUp.signal
  }

  get input(): Readable {
    return Readable.from(this.#bytes.length === 0 ? [] : [this.#bytes])
  }

  get openInput(): () => Promise<Readable> {
    return () => Promise.resolve(this.input)
  }

  get setHeader(): Call['setHeader'] {
    return (name, value) => {
      validateHeaderName(name)
      validateHeaderValue(name, value)
      this.#headers += `${name.toLowerCase()}: ${value}\r\n`
    }
  }

  get openOutput(): Call['openOutput'] {
    return async (contentType) => {
      const sink = this.#begin(this.#headers, contentType)
      this.#stream = new Writable({
        write: (chunk: Buffer, _encoding, done) => sink.write(chunk, done),
        final: (done) => sink.end(done),
      })
      if (this.#isClientGone) this.#stream.destroy()
      return this.#stream
    }
  }

  get takeOver(): Call['takeOver'] {
    return async (contentType, headers) => {
      const connection = this.#takeOver(contentType, headers)
      this.#stream = connection
      return connection
    }
  }

  clientGone(): void {
    this.#isClientGone = true
    this.#hangUp?.abort(CLIENT_GONE)
    this.#stream?.destroy()
  }
}
