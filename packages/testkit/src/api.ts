import { request } from 'node:http'
import type { Socket } from 'node:net'
import { SLOW } from './slow.ts'

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly bytes: Buffer
  /** The body as JSON; throws if it is none. */
  json(): unknown
}

export interface ApiRequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is if it is a string or a buffer, else as JSON. */
  readonly body?: unknown
  readonly timeoutMs?: number
}

/** One raw HTTP request over a Unix socket, the answer read to its end. */
export async function apiRequest(
  socketPath: string,
  method: string,
  path: string,
  options: ApiRequestOptions = {},
): Promise<ApiResponse> {
  const { body, headers = {}, timeoutMs = 120_000 } = options
  const raw = typeof body === 'string' || Buffer.isBuffer(body) || body === undefined
  const payload = raw ? body : JSON.stringify(body)
  const type = raw ? {} : { 'content-type': 'application/json' }
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        method,
        path,
        headers: { host: 'ctr', ...type, ...headers },
        agent: false,
        signal: AbortSignal.timeout(timeoutMs * SLOW),
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString('utf8')
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text,
            bytes,
            json: () => JSON.parse(text) as unknown,
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}

/** Docker's HTTP upgrade: resolves with the raw connection after `101`. Bytes that came with the head are put back. */
export async function hijack(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body)
    const outgoing = request({
      socketPath,
      method,
      path,
      headers: {
        host: 'ctr',
        connection: 'Upgrade',
        upgrade: 'tcp',
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(payload)),
      },
      agent: false,
    })
    outgoing.on('error', reject)
    outgoing.on('upgrade', (_response, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head)
      resolve(socket)
    })
    outgoing.on('response', (incoming) => {
      incoming.resume()
      reject(new Error(`${method} ${path}: expected 101, got ${incoming.statusCode ?? 0}`))
    })
    outgoing.end(payload)
  })
}
