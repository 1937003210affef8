import { Socket, type SocketConstructorOpts } from 'node:net'
import { Pour } from './pour.ts'

/** libuv reads no more of a socket at once, either. */
const READ_BYTES = 64 * 1024
/** Who says so much at once may go on. */
const BULK_BYTES = 16 * 1024

/** Of all sockets that are read little: there is nothing between a read and the call that gives it. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** Node asks for one when it opens a socket, and after each call of `callback`; undefined: as before. */
let nextBuffer: Buffer | undefined = shared

/** The same for all: made for each, they would cost every start of a container. */
const OPTIONS: SocketConstructorOpts = {
  allowHalfOpen: true,
  onread: {
    buffer: () => {
      const buffer = nextBuffer
      nextBuffer = shared
      return buffer as Buffer
    },
    callback(this: ShimSocket, length, buffer) {
      return this.receive(buffer as Buffer, length)
    },
  },
}

/**
 * A connection to a shim, half open. Node makes a buffer of 64 KiB for each read of a socket, and its garbage collector has to find
 * them: a third of the time that output of a process takes here. This one reads into a buffer that is used again and again.
 * It is as any other socket, but for `onBytes`, and that it is poured, not piped, into a socket.
 */
export class ShimSocket extends Socket {
  /** Gets what is read instead of the stream. The bytes are valid until it returns, or for good if it calls `keepBytes`. */
  onBytes: ((bytes: Buffer) => void) | undefined
  /** Of this socket alone, since it has been said much at once. */
  #own: Buffer | undefined
  #pour: Pour | undefined

  constructor() {
    super(OPTIONS)
  }

  keepBytes(): void {
    this.#own = undefined
  }

  override pipe<T extends NodeJS.WritableStream>(
    destination: T,
    options?: { end?: boolean | undefined },
  ): T {
    if (!(destination instanceof Socket)) return super.pipe(destination, options)
    const pour = new Pour(this, destination, this, options?.end !== false)
    this.#pour = pour
    this.onBytes = (bytes) => {
      if (pour.write(bytes)) this.keepBytes()
    }
    // For its end.
    if (!pour.isPaused) this.resume()
    return destination
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    if (this.#pour === undefined) return super.unpipe(destination)
    this.#pour[Symbol.dispose]()
    this.#pour = undefined
    this.onBytes = undefined
    return this
  }

  /** For Node. False: the stream has enough for now. */
  receive(buffer: Buffer, length: number): boolean {
    const bytes = buffer.subarray(0, length)
    const mayGoOn = this.#give(buffer === shared ? Buffer.from(bytes) : bytes)
    const isBulk = buffer !== shared || length >= BULK_BYTES
    if (isBulk) this.#own ??= Buffer.allocUnsafeSlow(READ_BYTES)
    nextBuffer = this.#own === buffer ? undefined : this.#own
    return mayGoOn
  }

  #give(bytes: Buffer): boolean {
    const { onBytes } = this
    if (onBytes === undefined) {
      // The stream keeps them.
      this.keepBytes()
      return this.push(bytes)
    }
    onBytes(bytes)
    return true
  }
}
