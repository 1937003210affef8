/**
 * The front of an HTTP server on a Unix socket. A connection begins here: while its requests are plain ones (request.ts, target.ts)
 * they are answered without Node's server and without a router, up to one that takes the connection over. At the first that is
 * anything else, the connection with all bytes that were not answered goes to Node's server, for good.
 */
import type { Socket } from 'node:net'
import { answerBrokenRequest } from '../broken-request.ts'
import { KEEP_ALIVE_S } from './answer.ts'
import { type PlainRequest, readPlainRequest } from './request.ts'
import { type FrontRoutes, findTarget, type Target } from './target.ts'

export interface FrontOptions {
  readonly routes: FrontRoutes
  /** Answers by `exchange`; resolves when the answer is complete. Never rejects. */
  readonly serve: (target: Target, request: PlainRequest, exchange: Exchange) => Promise<void>
  /** Node's server. */
  readonly passOn: (socket: Socket) => void
}

/** A request and its answer, for the one who serves it. */
export interface Exchange {
  readonly body: Buffer
  readonly socket: Socket
  /** It asks for the connection: what the client has said behind it. Any other answer than the connection is the last. */
  readonly upgrade: { readonly head: Buffer } | undefined
  /** Called when the client has gone before the answer was complete. */
  onGone: () => void
}

const SECOND_MS = 1000
/** So much more may come before an answer is complete, until nothing more is read. */
const MAX_WAITING_BYTES = 64 * 1024
const NOTHING = Buffer.alloc(0)

export function frontConnection(socket: Socket, options: FrontOptions): void {
  new FrontConnection(socket, options).begin()
}

class FrontConnection {
  readonly #socket: Socket
  readonly #options: FrontOptions
  /** Read, and not yet served. */
  #bytes: Buffer = NOTHING
  #exchange: Exchange | undefined

  constructor(socket: Socket, options: FrontOptions) {
    this.#socket = socket
    this.#options = options
  }

  begin(): void {
    const socket = this.#socket
    socket.setTimeout(KEEP_ALIVE_S * SECOND_MS)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
    socket.on('error', this.#onError)
    socket.on('timeout', this.#onTimeout)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    if (this.#exchange === undefined) this.#next()
    else if (this.#bytes.length > MAX_WAITING_BYTES) this.#socket.pause()
  }

  /** As Node's server does, whose sockets may be half open: the client says no more, so nothing more is said. */
  readonly #onEnd = (): void => {
    if (this.#exchange === undefined && this.#bytes.length > 0) {
      answerBrokenRequest(
        Object.assign(new Error('the request ended early'), { code: 'HPE_INVALID_EOF_STATE' }),
        this.#socket,
      )
    } else this.#socket.end()
  }

  readonly #onClose = (): void => {
    this.#exchange?.onGone()
  }

  readonly #onError = (): void => {
    this.#socket.destroy()
  }

  /** Bodies have no limit of time: Node's server waits for the rest of one. */
  readonly #onTimeout = (): void => {
    if (this.#exchange !== undefined) return
    if (this.#bytes.length > 0) this.#passOn()
    else this.#socket.destroy()
  }

  /** Serves what has been read, one request after the other. */
  #next(): void {
    if (this.#bytes.length === 0) return
    const request = readPlainRequest(this.#bytes)
    const target = request && findTarget(this.#options.routes, request.method, request.url)
    if (request === undefined || target === undefined) return this.#passOn()
    // Who asks for what the route does not give, or gets the connection without having asked.
    if (request.isUpgrade !== (target.route.takesConnection === true)) return this.#passOn()
    const end = request.bodyAt + request.bodyLength
    // The rest of the body is on its way.
    if (this.#bytes.length < end) return
    const body = this.#bytes.subarray(request.bodyAt, end)
    this.#bytes = this.#bytes.length === end ? NOTHING : this.#bytes.subarray(end)
    if (request.isUpgrade) return this.#hand(target, request, body)
    const exchange = this.#exchangeOf(body)
    this.#exchange = exchange
    void this.#options.serve(target, request, exchange).then(() => this.#answered())
  }

  #answered(): void {
    this.#exchange = undefined
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return
    // A client that asks and does not read.
    if (socket.writableNeedDrain) {
      this.#exchange = this.#exchangeOf(NOTHING)
      socket.once('drain', () => this.#answered())
      return
    }
    if (socket.isPaused()) socket.resume()
    this.#next()
  }

  #exchangeOf(body: Buffer, upgrade?: Exchange['upgrade']): Exchange {
    return { body, socket: this.#socket, upgrade, onGone: () => undefined }
  }

  /** Serves a request that may take the connection over: from here on nobody else reads it, or ends it with the client's last word. */
  #hand(target: Target, request: PlainRequest, body: Buffer): void {
    const socket = this.#socket
    this.#stopReading()
    // Waits for a reader, as a connection that Node's server hands over.
    const reading: { readableFlowing: boolean | null } = socket
    reading.readableFlowing = null
    const exchange = this.#exchangeOf(body, { head: this.#bytes })
    this.#exchange = exchange
    this.#bytes = NOTHING
    void this.#options.serve(target, request, exchange)
  }

  #stopReading(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('timeout', this.#onTimeout)
    socket.setTimeout(0)
  }

  #passOn(): void {
    const socket = this.#socket
    this.#stopReading()
    socket.off('close', this.#onClose)
    socket.off('error', this.#onError)
    // What flows stays so, and is not given to a new listener.
    socket.pause()
    socket.unshift(this.#bytes)
    this.#bytes = NOTHING
    this.#options.passOn(socket)
    socket.resume()
  }
}
