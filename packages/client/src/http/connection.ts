import { EngineError } from '@ctr/errdefs'
import { ConnectError, cancelled, connectionLost } from '../errors.ts'
import type { Host } from '../host.ts'
import { connectTransport, type Transport } from '../transport/transport.ts'
import { BodyStream } from './body-stream.ts'
import { type ResponseHead, ResponseParser } from './response-parser.ts'

/** One HTTP/1.1 connection: one request at a time, reusable after its response was read to the end. */
export interface HttpRequest {
  readonly method: string
  /** Path and query, already encoded. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  /** Bytes are sent with content-length, a stream in chunks. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly hijack: boolean
  /** Of a stream: it is sent when the peer asks for it (`Expect: 100-continue`), and not if it answers without. */
  readonly awaitsContinue: boolean
  readonly signal: AbortSignal | undefined
}

export interface HttpResponse {
  readonly head: ResponseHead
  readonly body: BodyStream
  /** Set when the connection was upgraded. Its `input` is `body`. */
  readonly stream: RawStream | undefined
}

/** The connection after an upgrade: a byte pipe in both directions. */
export interface RawStream {
  /** Resolves when more may be written. */
  write(chunk: Uint8Array): Promise<void>
  /** End of our side; the peer's bytes still arrive. */
  end(): void
  readonly input: BodyStream
  destroy(): void
}

interface Exchange {
  readonly resolve: (response: HttpResponse) => void
  readonly reject: (error: unknown) => void
  readonly body: BodyStream
  readonly isUpload: boolean
  isSent: boolean
  isDone: boolean
  /** Called by `100 Continue`, `102 Processing`, by the head of the answer and by the end. */
  goOn: (() => void) | undefined
  /** The peer does without the body: it has answered, or says that it works on it (102). */
  isAnswered: boolean
}

export class HttpConnection {
  readonly #address: string
  readonly #hostHeader: string
  readonly #parser: ResponseParser
  #transport!: Transport
  #exchange: Exchange | undefined
  #isClosed = false
  #isReusable = false
  #waitingForDrain: (() => void)[] = []
  /** Called when the connection may carry another request. */
  onIdle: (() => void) | undefined
  onClose: (() => void) | undefined

  /** Throws ConnectError. */
  static async open(host: Host): Promise<HttpConnection> {
    const connection = new HttpConnection(host.address, hostHeader(host))
    try {
      connection.#transport = await connectTransport(host, {
        data: (chunk) => connection.#onData(chunk),
        drain: () => connection.#onDrain(),
        end: () => connection.#onEnd(),
        close: (error) => connection.#onClose(error),
      })
    } catch (error) {
      throw new ConnectError(host, error)
    }
    return connection
  }

  private constructor(address: string, hostHeader: string) {
    this.#address = address
    this.#hostHeader = hostHeader
    this.#parser = new ResponseParser({
      interim: (status) => {
        const exchange = this.#exchange
        if (exchange === undefined) return
        if (status === 102) exchange.isAnswered = true
        if (status === 100 || status === 102) exchange.goOn?.()
      },
      head: (head, isUpgraded) => this.#onHead(head, isUpgraded),
      body: (chunk) => this.#exchange?.body.push(chunk),
      complete: () => this.#onComplete(),
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  close(): void {
    this.#transport.destroy()
  }

  /** Resolves with the head; the body follows. Throws CANCELLED, or UNAVAILABLE when the connection breaks. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    if (request.signal?.aborted === true) throw cancelled(request.signal.reason)
    const onAbort = (): void => this.#fail(cancelled(request.signal?.reason))
    request.signal?.addEventListener('abort', onAbort, { once: true })
    return new Promise<HttpResponse>((resolve, reject) => {
      const body = new BodyStream({
        pause: () => this.#transport.pause(),
        resume: () => this.#transport.resume(),
        cancel: () => this.#transport.destroy(),
        ended: () => request.signal?.removeEventListener('abort', onAbort),
      })
      const isUpload = request.body !== undefined && !(request.body instanceof Uint8Array)
      const exchange: Exchange = {
        resolve,
        reject,
        body,
        isUpload,
        isSent: !isUpload,
        isDone: false,
        goOn: undefined,
        isAnswered: false,
      }
      this.#exchange = exchange
      this.#isReusable = false
      this.#parser.expect({ method: request.method, hijack: request.hijack })
      if (this.#isClosed) this.#fail(connectionLost('it was closed'))
      else this.#write(request, exchange).catch((error: unknown) => this.#fail(error))
    })
  }

  async #write(request: HttpRequest, exchange: Exchange): Promise<void> {
    const { body } = request
    let head = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${this.#hostHeader}\r\n`
    for (const [name, value] of Object.entries(request.headers)) head += `${name}: ${value}\r\n`
    if (body === undefined) {
      if (request.method === 'POST' || request.method === 'PUT') head += 'Content-Length: 0\r\n'
      this.#transport.write(Buffer.from(`${head}\r\n`, 'latin1'))
      return
    }
    if (body instanceof Uint8Array) {
      const bytes = Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`, 'latin1')
      this.#transport.write(Buffer.concat([bytes, body]))
      return
    }
    if (request.awaitsContinue) head += 'Expect: 100-continue\r\n'
    this.#transport.write(Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`, 'latin1'))
    if (request.awaitsContinue) {
      await mayGoOn(exchange)
      if (exchange.isAnswered) return
    }
    await this.#writeChunks(body, exchange)
  }

  async #writeChunks(body: AsyncIterable<Uint8Array>, exchange: Exchange): Promise<void> {
    for await (const chunk of body) {
      // The daemon may answer, with an error usually, before it has read everything.
      if (this.#isClosed || exchange.isDone) return
      if (chunk.length === 0) continue
      this.#transport.write(Buffer.from(`${chunk.length.toString(16)}\r\n`, 'latin1'))
      this.#transport.write(chunk)
      await this.#writable(this.#transport.write(CRLF))
    }
    exchange.isSent = true
    this.#transport.write(LAST_CHUNK)
  }

  #writable(isWritable: boolean): Promise<void> {
    if (isWritable || this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => this.#waitingForDrain.push(resolve))
  }

  #onHead(head: ResponseHead, isUpgraded: boolean): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#isReusable = head.keepAlive && !isUpgraded
    exchange.isAnswered = true
    exchange.goOn?.()
    exchange.resolve({
      head,
      body: exchange.body,
      stream: isUpgraded ? this.#rawStream(exchange.body) : undefined,
    })
  }

  #rawStream(input: BodyStream): RawStream {
    return {
      write: (chunk) => this.#writable(this.#transport.write(chunk)),
      end: () => this.#transport.end(),
      input,
      destroy: () => this.#transport.destroy(),
    }
  }

  #onComplete(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    exchange.isDone = true
    exchange.body.end()
    this.#exchange = undefined
    if (this.#isReusable && exchange.isSent) this.onIdle?.()
    else this.#transport.destroy()
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#parser.feed(chunk)
    } catch (error) {
      this.#fail(connectionLost(error instanceof Error ? error.message : String(error), error))
    }
  }

  #onDrain(): void {
    const waiting = this.#waitingForDrain
    this.#waitingForDrain = []
    for (const resolve of waiting) resolve()
  }

  /** End of the peer's side: of the body, of an upgraded stream, or an accident. */
  #onEnd(): void {
    const exchange = this.#exchange
    if (exchange === undefined) {
      this.#transport.destroy()
      return
    }
    if (!this.#parser.finish()) {
      this.#fail(connectionLost('it ended before the response was complete'))
      return
    }
    exchange.body.end()
  }

  #onClose(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const exchange = this.#exchange
    if (exchange !== undefined && this.#parser.finish()) exchange.body.end()
    else if (exchange !== undefined) {
      this.#fail(
        connectionLost(error?.message ?? 'it ended before the response was complete', error),
      )
    }
    this.#onDrain()
    this.onClose?.()
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    if (exchange !== undefined) {
      exchange.isDone = true
      exchange.goOn?.()
      const failure = error instanceof Error ? error : new EngineError('INTERNAL', String(error))
      exchange.reject(failure)
      exchange.body.end(failure)
    }
    if (!this.#isClosed) this.#transport.destroy()
  }

  toString(): string {
    return `connection to ${this.#address}`
  }
}

/** RFC 9110 §10.1.1: a peer that says nothing may not know of it. */
const CONTINUE_MS = 1000

function mayGoOn(exchange: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CONTINUE_MS)
    exchange.goOn = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

const CRLF = Buffer.from('\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/** By TCP a daemon answers to its own names only; on a unix socket it must have one and does not look (RFC 9112 §3.2). */
function hostHeader(host: Host): string {
  if (host.kind !== 'tcp') return 'ctr'
  return `${host.hostname.includes(':') ? `[${host.hostname}]` : host.hostname}:${host.port}`
}
