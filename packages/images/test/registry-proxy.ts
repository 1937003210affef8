import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestRegistry } from '@ctr/testkit'

export interface ProxyRules {
  /** Answer for a request instead of passing it on. */
  answer?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean
  /** Break the connection after so many bytes of a blob. */
  cutBlobAfter?: (count: number) => number | undefined
}

/** A registry in front of another one, to see and to disturb what passes. */
export async function startProxy(
  upstream: string,
  rules: ProxyRules,
): Promise<TestRegistry & { readonly requests: string[]; blobBytes: number }> {
  const requests: string[] = []
  const state = { blobBytes: 0, blobs: 0 }
  const server = http.createServer((request, response) => {
    const { range = '' } = request.headers
    requests.push(`${request.method} ${request.url} ${range}`.trim())
    if (rules.answer?.(request, response) === true) return
    const [hostname, port] = upstream.split(':')
    // With the client's Host, so that upload locations lead back here.
    const { headers } = request
    const passed = http.request({
      hostname,
      port,
      method: request.method,
      path: request.url,
      headers,
    })
    passed.on('error', () => response.destroy())
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      const isBlob = request.method === 'GET' && /\/blobs\//.test(request.url ?? '')
      if (isBlob) state.blobs += 1
      const limit = isBlob ? rules.cutBlobAfter?.(state.blobs) : undefined
      let sent = 0
      answer.on('data', (chunk: Buffer) => {
        const data = limit === undefined ? chunk : chunk.subarray(0, Math.max(0, limit - sent))
        sent += data.length
        if (isBlob) state.blobBytes += data.length
        response.write(data)
        if (limit !== undefined && sent >= limit) {
          answer.destroy()
          response.destroy()
        }
      })
      answer.on('end', () => response.end())
    })
    request.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    requests,
    get blobBytes() {
      return state.blobBytes
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
