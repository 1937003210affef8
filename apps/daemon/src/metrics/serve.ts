import { createServer } from 'node:http'
import { bind } from '../listen/bind.ts'
import type { Metrics } from './metrics.ts'

/** `GET /metrics` and nothing else, on an address of its own. */
export async function serveMetrics(
  metrics: Metrics,
  address: { readonly host: string; readonly port: number },
): Promise<Disposable> {
  const server = createServer((request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end('404 page not found\n')
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(metrics.render())
  })
  await bind(server, address)
  return {
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
