import type { IncomingHttpHeaders } from 'node:http'
import { type Duplex, Readable, type Writable } from 'node:stream'
import { countBuffer } from '@ctr/engine'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { offersBodyFile, openBodyFile } from './body-file.ts'
import { CLIENT_GONE } from './client-gone.ts'
import type { Call } from './route.ts'
import { type AnswerHeaders, openOutput, takeOver } from './stream.ts'
import type { WebSocketOpening } from './websocket.ts'

interface Parts {
  readonly query: Call['query']
  readonly body: unknown
  readonly apiMinor: number
  readonly webSocket: WebSocketOpening | undefined
}

/** A request on its way through a handler. What most handlers do not ask for is made when one does. */
export class ServedCall implements Call {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly query: Call['query']
  readonly body: Call['body']
  readonly apiMinor: number
  readonly #webSocket: WebSocketOpening | undefined
  #hangUp: AbortController | undefined
  #isClientGone = false
  #stream: Writable | undefined

  constructor(request: FastifyRequest, reply: FastifyReply, parts: Parts) {
    this.request = request
    this.reply = reply
    this.query = parts.query
    this.body = parts.body as Call['body']
    this.apiMinor = parts.apiMinor
    this.#webSocket = parts.webSocket
    reply.raw.on('close', this.#onAnswerClose)
  }

  get id(): string {
    return this.#params['id'] ?? ''
  }

  get name(): string {
    return this.#params['name'] ?? ''
  }

  get headers(): IncomingHttpHeaders {
    return this.request.raw.headers
  }

  get isWebSocket(): boolean {
    return this.#webSocket !== undefined
  }

  get isClientGone(): boolean {
    return this.#isClientGone
  }

  /** What the handler has taken the answer over with. */
  get stream(): Writable | undefined {
    return this.#stream
  }

  get signal(): AbortSignal {
    if (this.#hangUp === undefined) {
      this.#hangUp = new AbortController()
      if (this.#isClientGone) this.#hangUp.abort(CLIENT_GONE)
    }
    return this.#hangUp.signal
  }

  get input(): Readable {
    const { body } = this.request
    if (!(body instanceof Readable)) return Readable.from([])
    countBuffersOf(body)
    body[Symbol.asyncIterator] = () => piecesOf(body)
    return body
  }

  get openInput(): Call['openInput'] {
    return async () => {
      const { raw } = this.request
      const file = offersBodyFile(raw) ? await openBodyFile(raw, this.reply.raw) : undefined
      return file ?? this.input
    }
  }

  get setHeader(): Call['setHeader'] {
    return (name, value) => {
      this.reply.header(name, value)
    }
  }

  get openOutput(): Call['openOutput'] {
    return (contentType) => this.#openOutput(contentType)
  }

  get takeOver(): Call['takeOver'] {
    return (contentType, headers) => this.#takeOver(contentType, headers)
  }

  async #openOutput(contentType: string): Promise<Writable> {
    // What a WebSocket client says is read and dropped.
    if (this.#webSocket !== undefined) {
      return this.#opened((await this.#webSocket.open(this.#messages)).resume())
    }
    for (const [name, value] of Object.entries(this.reply.getHeaders())) {
      if (value !== undefined) this.reply.raw.setHeader(name, value)
    }
    this.reply.hijack()
    return this.#opened(openOutput(this.reply.raw, contentType))
  }

  async #takeOver(contentType: string, headers?: AnswerHeaders): Promise<Duplex> {
    if (this.#webSocket !== undefined) {
      return this.#opened(await this.#webSocket.open(this.#messages))
    }
    this.reply.hijack()
    return this.#opened(await takeOver(this.request.raw, this.reply.raw, contentType, headers))
  }

  /** moby#28176 */
  get #messages(): { readonly isText: boolean } {
    return { isText: this.apiMinor < 28 }
  }

  get #params(): Readonly<Record<string, string>> {
    return this.request.params as Readonly<Record<string, string>>
  }

  #opened<S extends Writable>(stream: S): S {
    this.reply.raw.off('close', this.#onAnswerClose)
    stream.on('close', this.#onClose)
    this.#stream = stream
    return stream
  }

  readonly #onClose = (): void => {
    this.#isClientGone = true
    this.#hangUp?.abort(CLIENT_GONE)
  }

  readonly #onAnswerClose = (): void => {
    if (!this.reply.raw.writableFinished) this.#onClose()
  }
}

/** Who stops reading leaves the rest to the server (`readRest`): a destroyed request cannot be read, and its client waits. */
async function* piecesOf(body: Readable): AsyncGenerator<unknown> {
  // Not `yield*`, which passes on a throw(): that one destroys.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) yield chunk
}

/** Node's HTTP server makes a buffer for each read. */
function countBuffersOf(body: Readable): void {
  const push = body.push.bind(body)
  body.push = (chunk: Buffer | null, encoding) => {
    countBuffer(chunk?.length ?? 0)
    return push(chunk, encoding)
  }
}
