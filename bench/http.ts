import { Agent, request } from 'node:http'

/** One kept-open connection to a Docker API socket. */
export class Api {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  async call(method: string, path: string, body?: unknown): Promise<string> {
    const data = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method,
          path: `/v1.41${path}`,
          headers:
            data === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () => {
            if ((response.statusCode ?? 500) < 400) resolve(text)
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(data)
    })
  }

  async create(config: Record<string, unknown>): Promise<string> {
    return JSON.parse(await this.call('POST', '/containers/create', config)).Id
  }

  close(): void {
    this.#agent.destroy()
  }
}
