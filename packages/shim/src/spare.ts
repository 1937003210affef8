import type { ShimSocket } from './shim-socket.ts'

/** A connection to a spawner; it has become a shim's, unless that spawner ends before. */
export interface SpawnerConnection {
  readonly socket: ShimSocket
  readonly spawner: { readonly pid: number | undefined; readonly ended: Promise<unknown> }
}

/** A shim ends when no program comes for START_TIMEOUT_MS of native/main.c, 30 s; far from it, so that none ends while it is taken. */
const AGE_MAX_MS = 20_000

/**
 * A connection that the next program will have, made when nobody waits: its shim is there already. It goes by itself when
 * nothing is started for a while. Whoever takes it meets its end as any other connection's.
 */
export class SpareConnection implements Disposable {
  #connection: SpawnerConnection | undefined
  #madeAtMs = 0
  #isConnecting = false
  #isClosed = false
  readonly #drop = (): void => {
    this.#connection?.socket.destroy()
    this.#connection = undefined
  }

  /**
   * Makes one unless there is one, when what is to be done for the last start has been. Without success there is none: the
   * next start connects by itself.
   */
  prepare(connect: () => Promise<SpawnerConnection>): void {
    if (this.#isConnecting || this.#isClosed || this.#connection !== undefined) return
    this.#isConnecting = true
    afterThisTurn()
      .then(connect)
      .then(
        (connection) => this.#keep(connection),
        () => undefined,
      )
      .finally(() => {
        this.#isConnecting = false
      })
  }

  take(): SpawnerConnection | undefined {
    const connection = this.#connection
    this.#connection = undefined
    if (connection === undefined) return undefined
    const { socket } = connection
    socket.off('error', this.#drop).off('end', this.#drop).off('close', this.#drop)
    if (performance.now() - this.#madeAtMs < AGE_MAX_MS && !socket.destroyed) return connection
    socket.on('error', () => undefined).destroy()
    return undefined
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#drop()
  }

  #keep(connection: SpawnerConnection): void {
    const { socket } = connection
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    this.#connection = connection
    this.#madeAtMs = performance.now()
    // An end is seen only by who reads.
    socket.on('error', this.#drop).on('end', this.#drop).on('close', this.#drop).resume()
  }
}

function afterThisTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
