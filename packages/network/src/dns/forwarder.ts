import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Cache } from './cache.ts'
import { parseResponse, type Query, RCODE, type Response, readdress } from './message.ts'

/**
 * Asks other resolvers, one after the other, from sockets of their own: a random port and a random id for each query, and
 * connected, so that nobody else's answer is taken. A client waits no longer than BUDGET_MS.
 */
export class Forwarder {
  readonly #cache = new Cache(() => performance.now())
  /** Queries on their way, by container. */
  readonly #pending = new Map<string, number>()
  #pendingTotal = 0
  /** Servers that did not answer, and until when they come last. */
  readonly #silentUntilMs = new Map<string, number>()
  /** Of the exchanges that are on their way. */
  readonly #aborts = new Set<AbortController>()

  /** Undefined when no server has a usable answer, or too many queries are on their way. */
  async forward(
    query: Query,
    o: { containerId: string; servers: readonly string[]; isTcp: boolean },
  ): Promise<Buffer | undefined> {
    const cached = this.#cache.get(query, o.servers)
    if (cached !== undefined) return cached
    const own = this.#pending.get(o.containerId) ?? 0
    if (own >= MAX_PENDING_PER_CONTAINER || this.#pendingTotal >= MAX_PENDING) return undefined
    this.#pending.set(o.containerId, own + 1)
    this.#pendingTotal++
    try {
      return await this.#ask(query, o.servers, o.isTcp)
    } finally {
      this.#pendingTotal--
      const left = (this.#pending.get(o.containerId) ?? 1) - 1
      if (left === 0) this.#pending.delete(o.containerId)
      else this.#pending.set(o.containerId, left)
    }
  }

  /** Queries on their way end without an answer. */
  [Symbol.dispose](): void {
    for (const abort of this.#aborts) abort.abort()
  }

  async #ask(
    query: Query,
    servers: readonly string[],
    isTcp: boolean,
  ): Promise<Buffer | undefined> {
    const timeoutMs = Math.max(MIN_TIMEOUT_MS, BUDGET_MS / servers.length)
    const endMs = performance.now() + BUDGET_MS
    let failure: Response | undefined
    for (const server of this.#inOrder(servers)) {
      const leftMs = Math.min(timeoutMs, endMs - performance.now())
      if (leftMs <= 0) break
      const response = await this.#askServer(query, server, leftMs, isTcp)
      if (response === undefined) continue
      if (response.rcode === RCODE.NOERROR || response.rcode === RCODE.NXDOMAIN) {
        this.#cache.put(query, servers, response)
        return readdress(response, query, 0)
      }
      failure ??= response
    }
    return failure === undefined ? undefined : readdress(failure, query, 0)
  }

  /** First over UDP: some resolvers know nothing else. A client that takes long answers gets them over TCP. */
  async #askServer(
    query: Query,
    server: string,
    timeoutMs: number,
    isTcp: boolean,
  ): Promise<Response | undefined> {
    const abort = new AbortController()
    const { signal } = abort
    const timer = setTimeout(() => abort.abort(), timeoutMs)
    this.#aborts.add(abort)
    let response: Response | undefined
    try {
      response = await exchangeUdp(query, server, signal)
      if (isTcp && response.isTruncated) return await exchangeTcp(query, server, signal)
      return response
    } catch {
      // Silent, unreachable or refusing: the next one is asked, and this one comes last for a while.
      if (response === undefined) {
        this.#silentUntilMs.set(server, performance.now() + SILENCE_MS)
      }
      return response
    } finally {
      clearTimeout(timer)
      this.#aborts.delete(abort)
    }
  }

  #inOrder(servers: readonly string[]): string[] {
    const nowMs = performance.now()
    for (const [server, untilMs] of this.#silentUntilMs) {
      if (untilMs <= nowMs) this.#silentUntilMs.delete(server)
    }
    const isSilent = (server: string): boolean => this.#silentUntilMs.has(server)
    return [
      ...servers.filter((server) => !isSilent(server)),
      ...servers.filter((server) => isSilent(server)),
    ]
  }
}

/** Below the 5 s after which glibc and musl ask again. resolv.conf(5) */
const BUDGET_MS = 4500
const MIN_TIMEOUT_MS = 1000
const SILENCE_MS = 30_000
/** Each is a socket. */
const MAX_PENDING = 256
const MAX_PENDING_PER_CONTAINER = 64
const PORT = 53

async function exchangeUdp(query: Query, server: string, signal: AbortSignal): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const id = randomInt(0x10000)
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4')
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    socket.on('error', reject)
    socket.on('message', (bytes) => {
      const response = parseResponse(bytes, query, id)
      if (response !== undefined) resolve(response)
    })
    socket.connect(PORT, server, (error?: Error) => {
      if (error === undefined || error === null) socket.send(withId(query, id))
      else reject(error)
    })
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}

async function exchangeTcp(query: Query, server: string, signal: AbortSignal): Promise<Response> {
  const id = randomInt(0x10000)
  const socket = connect({ host: server, port: PORT, signal })
  try {
    await once(socket, 'connect', { signal })
    socket.write(frame(withId(query, id)))
    let received = Buffer.alloc(0)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk])
      const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0)
      if (received.length < end) continue
      const response = parseResponse(received.subarray(2, end), query, id)
      if (response !== undefined) return response
      break
    }
    throw new Error(`no answer from ${server} over TCP`)
  } finally {
    socket.destroy()
  }
}

/** With its length in front. RFC 1035 §4.2.2 */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function withId(query: Query, id: number): Buffer {
  const bytes = Buffer.from(query.bytes)
  bytes.writeUInt16BE(id, 0)
  return bytes
}
