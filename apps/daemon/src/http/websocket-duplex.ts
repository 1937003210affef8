import { Duplex } from 'node:stream'
import type { WebSocket } from '@fastify/websocket'

/** RFC 6455 §7.4.1 */
const NORMAL_CLOSURE = 1000
const INTERNAL_ERROR = 1011
/** RFC 6455 §5.5: a control frame carries 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123

/**
 * A WebSocket as a stream of bytes: each write is one binary message, or one of text; both are read alike. There is
 * no half-close: `end()` closes it, and so does the client's close frame.
 */
export class WebSocketDuplex extends Duplex {
  readonly #webSocket: WebSocket
  readonly #isText: boolean

  constructor(webSocket: WebSocket, o: { readonly isText: boolean }) {
    super({ allowHalfOpen: true })
    this.#isText = o.isText
    this.#webSocket = webSocket
    webSocket.on('message', (data: Buffer | ArrayBuffer | Buffer[]) => {
      if (!this.push(bytesOf(data))) webSocket.pause()
    })
    webSocket.on('close', () => {
      this.push(null)
      if (!this.writableFinished) this.destroy()
    })
    webSocket.on('error', (error) => this.destroy(error))
    // Without a listener the error of `destroy` would be thrown; it has gone to the client as the close reason.
    this.on('error', () => undefined)
  }

  override _read(): void {
    if (this.#webSocket.isPaused) this.#webSocket.resume()
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#webSocket.send(chunk, { binary: !this.#isText }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#webSocket.close(NORMAL_CLOSURE)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error === null) this.#webSocket.close(NORMAL_CLOSURE)
    else this.#webSocket.close(INTERNAL_ERROR, reason(error.message))
    done(error)
  }
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}

/** Cut at a character, not in one. */
function reason(text: string): Buffer {
  let end = Math.min(text.length, MAX_REASON_BYTES)
  while (Buffer.byteLength(text.slice(0, end)) > MAX_REASON_BYTES) end -= 1
  return Buffer.from(text.slice(0, end))
}
