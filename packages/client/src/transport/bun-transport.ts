import type { Transport, TransportListener } from './transport.ts'

/** The part of Bun's socket API that is used (https://bun.sh/docs/api/tcp). */
interface BunSocket {
  /** Bytes taken; fewer than given when the kernel's buffer is full; -1 when closed. */
  write(chunk: Uint8Array): number
  shutdown(): void
  pause(): void
  resume(): void
  terminate(): void
}

interface BunRuntime {
  connect(options: {
    unix: string
    allowHalfOpen: boolean
    socket: {
      data(socket: BunSocket, chunk: Uint8Array): void
      drain(socket: BunSocket): void
      end(socket: BunSocket): void
      close(socket: BunSocket, error: Error | undefined): void
      error(socket: BunSocket, error: Error): void
      connectError(socket: BunSocket, error: Error): void
    }
  }): Promise<BunSocket>
}

export async function connectBun(path: string, listener: TransportListener): Promise<Transport> {
  const bun = (globalThis as unknown as { Bun: BunRuntime }).Bun
  const transport = new BunTransport(listener)
  await bun
    .connect({
      unix: path,
      allowHalfOpen: true,
      socket: {
        data: (_socket, chunk) => listener.data(chunk),
        drain: () => transport.flush(),
        end: () => listener.end(),
        close: (_socket, error) => transport.closed(error ?? undefined),
        error: (_socket, error) => transport.failed(error),
        connectError: (_socket, error) => {
          throw error
        },
      },
    })
    .then((socket) => transport.open(socket))
  return transport
}

class BunTransport implements Transport {
  readonly #listener: TransportListener
  readonly #queue: Uint8Array[] = []
  #socket: BunSocket | undefined
  #ending = false
  #isClosed = false
  #failure: Error | undefined

  constructor(listener: TransportListener) {
    this.#listener = listener
  }

  open(socket: BunSocket): void {
    this.#socket = socket
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isClosed || this.#ending) return true
    // Bun keeps no reference to bytes that it did not take: the rest is copied, and no more of it than must be.
    let rest = chunk
    if (this.#queue.length === 0) {
      const taken = this.#socket?.write(chunk) ?? 0
      if (taken >= chunk.length) return true
      rest = chunk.subarray(Math.max(taken, 0))
    }
    this.#queue.push(rest.slice())
    return false
  }

  flush(): void {
    if (this.#queue.length === 0) return
    while (this.#queue.length > 0) {
      const chunk = this.#queue[0] as Uint8Array
      const taken = Math.max(this.#socket?.write(chunk) ?? 0, 0)
      if (taken < chunk.length) {
        this.#queue[0] = chunk.subarray(taken)
        return
      }
      this.#queue.shift()
    }
    if (this.#ending) this.#socket?.shutdown()
    this.#listener.drain()
  }

  end(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.#queue.length === 0) this.#socket?.shutdown()
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  destroy(): void {
    if (!this.#isClosed) this.#socket?.terminate()
  }

  failed(error: Error): void {
    this.#failure = error
  }

  closed(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#listener.close(error ?? this.#failure)
  }
}
