import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { Pour } from './pour.ts'

/** As much output waits here for its reader before the shim has to wait, too. */
const HELD_MAX_BYTES = 256 * 1024

/** The connection that output comes on. */
interface Source {
  /** The reader is behind. */
  pause(): void
  resume(): void
  /** The reader has gone. */
  leave(): void
}

/** Output that comes among frames, as a stream. What is written goes nowhere. Into a socket it is poured, not piped. */
export class StarterOutput extends Duplex {
  readonly #source: Source
  #pour: Pour | undefined

  constructor(source: Source) {
    super({ allowHalfOpen: false, highWaterMark: HELD_MAX_BYTES })
    this.#source = source
  }

  /** The bytes may be used for something else when it returns, unless it says that it still needs them. */
  give(bytes: Buffer): boolean {
    if (this.destroyed) return false
    if (this.#pour !== undefined) return this.#pour.write(bytes)
    if (!this.push(Buffer.from(bytes))) this.#source.pause()
    return false
  }

  override pipe<T extends NodeJS.WritableStream>(
    destination: T,
    options?: { end?: boolean | undefined },
  ): T {
    if (!(destination instanceof Socket)) return super.pipe(destination, options)
    this.#pour = new Pour(this, destination, this.#source, options?.end !== false)
    // For its end.
    this.resume()
    return destination
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    if (this.#pour === undefined) return super.unpipe(destination)
    this.#pour[Symbol.dispose]()
    this.#pour = undefined
    return this
  }

  override _read(): void {
    if (this.#pour?.isPaused !== true) this.#source.resume()
  }

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.leave()
    done(error)
  }
}
