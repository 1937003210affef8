import type { Host } from '../host.ts'

/**
 * A duplex byte stream to a daemon. Two implementations of one contract (transport.contract.ts): node:net, and Bun's own
 * sockets, which the compiled CLI uses because loading node:net there costs 3–4 ms of a 10 ms command.
 */
export interface Transport {
  /** Queues bytes in order; their memory is the caller's again. False: wait for `drain` before the next write. */
  write(chunk: Uint8Array): boolean
  /** Half close: the peer reads end-of-file after what was written; its bytes still arrive. */
  end(): void
  pause(): void
  resume(): void
  /** Closes at once; unsent bytes are dropped. `close` follows. */
  destroy(): void
}

/** Replaced as a whole when the connection changes hands (idle, request, hijacked). */
export interface TransportListener {
  data(chunk: Uint8Array): void
  drain(): void
  /** The peer sent end-of-file. */
  end(): void
  /** Once, last. */
  close(error: Error | undefined): void
}

/** Rejects with the system's error (`code` ENOENT, ECONNREFUSED, EACCES). */
export async function connectTransport(
  host: Host,
  listener: TransportListener,
): Promise<Transport> {
  if (host.kind === 'ssh') return (await import('./ssh-transport.ts')).connectSsh(host, listener)
  if (host.kind === 'unix' && process.versions['bun'] !== undefined) {
    return (await import('./bun-transport.ts')).connectBun(host.path, listener)
  }
  return (await import('./node-transport.ts')).connectNode(host, listener)
}
