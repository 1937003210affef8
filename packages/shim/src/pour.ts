import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'

interface Flow {
  /** Nothing is given to `write` until `resume`; what is under way still may be. */
  pause(): void
  resume(): void
}

/** All of a source into a socket, as `pipe`, but without a stop in the source's buffer, and telling when the bytes may be used again. */
export class Pour implements Disposable {
  readonly #source: Readable
  readonly #destination: Socket
  readonly #flow: Flow
  #isPaused = false

  /** What has come so far goes first. A destination that closes is the caller's to notice: what comes then goes nowhere. */
  constructor(source: Readable, destination: Socket, flow: Flow, endsDestination: boolean) {
    this.#source = source
    this.#destination = destination
    this.#flow = flow
    destination.on('drain', this.#onDrain)
    if (endsDestination && source.readableEnded) process.nextTick(this.#onEnd)
    else if (endsDestination) source.once('end', this.#onEnd)
    for (;;) {
      const bytes: Buffer | null = source.read()
      if (bytes === null) break
      this.write(bytes)
    }
  }

  /** The destination has enough for now. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** True: the bytes are still in use. */
  write(bytes: Buffer): boolean {
    const destination = this.#destination
    if (!destination.writable) return false
    destination.write(bytes)
    // Most often the kernel has taken all of them.
    if (destination.writableLength === 0) return false
    if (destination.writableNeedDrain && !this.#isPaused) {
      this.#isPaused = true
      this.#flow.pause()
    }
    return true
  }

  [Symbol.dispose](): void {
    this.#destination.off('drain', this.#onDrain)
    this.#source.off('end', this.#onEnd)
  }

  readonly #onDrain = (): void => {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#flow.resume()
  }

  readonly #onEnd = (): void => void this.#destination.end()
}
