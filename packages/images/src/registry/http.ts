import { readFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { EngineError, isErrno } from '@ctr/errdefs'
import { connectionError } from './connection-error.ts'

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly url: string
  readonly headers: Record<string, string>
  readonly body?: Buffer | Readable
  readonly verifiesTls: boolean
  readonly signal?: AbortSignal | undefined
}

/** From the request to the first byte of the answer, and between two reads of it. */
const IDLE_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 15_000
const MAX_REDIRECTS = 5
const MAX_DISCARDED_BYTES = 64 << 10
/** Docker keeps client certificates and authorities per host here. */
const CERTIFICATE_ROOTS = ['/etc/ctr/certs.d', '/etc/docker/certs.d']

/** Sends one request and follows redirects of GET and HEAD; the body of the answer is the caller's to read or destroy. */
export async function send(request: RegistryRequest): Promise<IncomingMessage> {
  let current = request
  for (let count = 0; count <= MAX_REDIRECTS; count++) {
    const response = await sendOnce(current)
    const location = response.headers.location
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0)
    const isRead = current.method === 'GET' || current.method === 'HEAD'
    // Whoever the registry sends us to (where blobs are, mostly) has no say in where its password goes.
    if (!isSameOrigin(current.url, request.url)) delete response.headers['www-authenticate']
    if (!isRedirect || !isRead || location === undefined) return response
    response.destroy()
    const next = URL.parse(location, current.url)
    if (next === null || !['http:', 'https:'].includes(next.protocol)) {
      throw new EngineError('UPSTREAM', `unsupported redirect to ${next?.protocol ?? location}`)
    }
    const { Authorization: _, ...others } = current.headers
    current = {
      ...current,
      url: next.href,
      headers: isSameOrigin(next.href, current.url) ? current.headers : others,
    }
  }
  throw new EngineError('UPSTREAM', `stopped after ${MAX_REDIRECTS} redirects`)
}

/** A body that nobody reads: the connection serves on if it is small, and is closed if it may have no end. */
export function discard(response: IncomingMessage): void {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes > MAX_DISCARDED_BYTES) response.destroy()
  })
}

function isSameOrigin(a: string, b: string): boolean {
  return new URL(a).origin === new URL(b).origin
}

function sendOnce(request: RegistryRequest): Promise<IncomingMessage> {
  const url = new URL(request.url)
  const options = {
    method: request.method,
    headers: headersOf(request),
    signal: request.signal,
    timeout: IDLE_TIMEOUT_MS,
  }
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(connectionError(request.method, url, error))
    const message =
      url.protocol === 'https:'
        ? https.request(url, {
            ...options,
            ...tlsOptions(url, request.verifiesTls),
            agent: secureAgent,
          })
        : http.request(url, { ...options, agent: plainAgent })
    const connectTimer = setTimeout(
      () => message.destroy(new Error('connect timeout')),
      CONNECT_TIMEOUT_MS,
    )
    message.once('socket', (socket) => {
      if (!socket.connecting) clearTimeout(connectTimer)
      else socket.once('connect', () => clearTimeout(connectTimer))
    })
    message.on('timeout', () => message.destroy(new Error('idle timeout')))
    message.on('error', (error) => {
      clearTimeout(connectTimer)
      fail(error)
    })
    message.on('response', (response) => {
      clearTimeout(connectTimer)
      resolve(response)
    })
    if (request.body === undefined || Buffer.isBuffer(request.body)) message.end(request.body)
    else {
      request.body.on('error', (error) => message.destroy(error))
      request.body.pipe(message)
    }
  })
}

function headersOf({ body, headers }: RegistryRequest): Record<string, string> {
  const length = Buffer.isBuffer(body) ? { 'Content-Length': String(body.length) } : {}
  return { 'User-Agent': 'ctr', ...length, ...headers }
}

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are obeyed. */
const agentOptions = { keepAlive: true, maxSockets: 16, proxyEnv: process.env }
const plainAgent = new http.Agent(agentOptions)
const secureAgent = new https.Agent(agentOptions)

function tlsOptions(url: URL, verifiesTls: boolean): https.RequestOptions {
  const read = (name: string): Buffer | undefined => {
    for (const root of CERTIFICATE_ROOTS) {
      try {
        return readFileSync(join(root, url.host, name))
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
      }
    }
    return undefined
  }
  const ca = read('ca.crt')
  const cert = read('client.cert')
  const key = read('client.key')
  return {
    rejectUnauthorized: verifiesTls,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  }
}
