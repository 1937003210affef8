import { fstatSync, readFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { ConnectError, ResponseError } from './errors.ts'
import { type Host, parseHost } from './host.ts'
import type { BodyStream } from './http/body-stream.ts'
import { HttpConnection, type HttpResponse, type RawStream } from './http/connection.ts'
import type { ResponseHead } from './http/response-parser.ts'

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>

export interface RequestOptions {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  /** Made with `path`, which escapes. */
  readonly path: string
  readonly query?: Query
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is, in chunks. */
  readonly body?: AsyncIterable<Uint8Array> | undefined
  /** Descriptor of the regular file whose bytes, from its position on, `body` would send: a daemon on this host may take the file instead. */
  readonly bodyFile?: number | undefined
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

export interface ClientOptions {
  readonly host: string | Host
  /** `1.47`: asks for that version of the API. Absent: the daemon's newest. */
  readonly apiVersion?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Asked when nobody answers: whether it is worth another try, and takes its time to say so. Absent: it is not. */
  readonly isStarting?: (error: ConnectError) => Promise<boolean>
}

const MAX_ERROR_BYTES = 1024 * 1024

/** Connections to one daemon. Idle ones are kept and reused. Close it, or they keep the process alive. */
export class Client {
  readonly host: Host
  readonly #prefix: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #isStarting: ClientOptions['isStarting']
  readonly #idle: HttpConnection[] = []
  readonly #open = new Set<HttpConnection>()
  readonly #warming: Promise<HttpConnection>[] = []

  constructor(options: ClientOptions) {
    this.host = typeof options.host === 'string' ? parseHost(options.host) : options.host
    this.#prefix = options.apiVersion === undefined ? '' : `/v${options.apiVersion}`
    this.#headers = { 'User-Agent': 'ctr', ...options.headers }
    this.#isStarting = options.isStarting
  }

  /** Opens connections before they are needed. Failures show up in the request that would have used them. */
  warm(count: number): void {
    for (let i = 0; i < count; i++) {
      const opening = this.#connect()
      opening.catch(() => {
        // Reported to whoever takes it from the list.
      })
      this.#warming.push(opening)
    }
  }

  /** Throws ResponseError on a status of 400 or more; 304 is the caller's to judge. */
  async request(options: RequestOptions): Promise<HttpResponse> {
    const response = await this.#send(options, false)
    if (response.head.status >= 400) throw await responseError(response)
    return response
  }

  async json<T>(options: RequestOptions): Promise<T> {
    const response = await this.request(options)
    return parseJson(await response.body.bytes()) as T
  }

  /** For answers without a body worth reading; gives the connection back. Returns the status. */
  async run(options: RequestOptions): Promise<number> {
    const response = await this.request(options)
    await response.body.bytes()
    return response.head.status
  }

  /** Asks the daemon to turn the connection into a byte pipe (`Upgrade: tcp`). */
  async hijack(options: RequestOptions): Promise<RawStream> {
    return (await this.upgrade(options)).stream
  }

  /** As `hijack`, with the headers of the answer: names in lower case. */
  async upgrade(
    options: RequestOptions,
  ): Promise<{ readonly stream: RawStream; readonly headers: ResponseHead['headers'] }> {
    const headers = { ...options.headers, Connection: 'Upgrade', Upgrade: 'tcp' }
    const response = await this.#send({ ...options, headers }, true)
    if (response.head.status >= 400) throw await responseError(response)
    if (response.stream === undefined) {
      throw new EngineError('INTERNAL', 'unable to upgrade to tcp, received 200')
    }
    return { stream: response.stream, headers: response.head.headers }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#warming)
    for (const connection of this.#open) connection.close()
  }

  async #send(options: RequestOptions, hijack: boolean): Promise<HttpResponse> {
    const target = this.#prefix + options.path + encodeQuery(options.query)
    const headers: Record<string, string> = { ...this.#headers, ...options.headers }
    let body: Uint8Array | AsyncIterable<Uint8Array> | undefined = options.body
    if (options.json !== undefined) {
      body = Buffer.from(JSON.stringify(options.json))
      headers['Content-Type'] = 'application/json'
    } else if (body !== undefined)
      headers['Content-Type'] = options.contentType ?? 'application/x-tar'
    const { method, signal, bodyFile } = options
    const awaitsContinue = bodyFile !== undefined && this.host.kind === 'unix'
    if (awaitsContinue) headers['Ctr-Body-File'] = describeFile(bodyFile)
    const connection = await this.#take()
    return connection.send({ method, target, headers, body, hijack, awaitsContinue, signal })
  }

  async #take(): Promise<HttpConnection> {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) break
      if (!connection.isClosed) return connection
    }
    return (await this.#warming.shift()) ?? this.#connect()
  }

  async #connect(): Promise<HttpConnection> {
    const connection = await this.#openConnection()
    this.#open.add(connection)
    connection.onIdle = () => this.#idle.push(connection)
    connection.onClose = () => this.#open.delete(connection)
    return connection
  }

  async #openConnection(): Promise<HttpConnection> {
    for (;;) {
      try {
        return await HttpConnection.open(this.host)
      } catch (error) {
        if (!(error instanceof ConnectError) || (await this.#isStarting?.(error)) !== true)
          throw error
      }
    }
  }
}

/** `` path`/containers/${ref}/start` ``: escapes the values. Throws INVALID_ARGUMENT on an empty one. */
export function path(texts: TemplateStringsArray, ...values: readonly string[]): string {
  let result = texts[0] ?? ''
  for (const [index, value] of values.entries()) {
    if (value === '')
      throw new EngineError('INVALID_ARGUMENT', 'invalid name or ID: value is empty')
    result += encodeURIComponent(value) + (texts[index + 1] ?? '')
  }
  return result
}

function encodeQuery(query: Query | undefined): string {
  if (query === undefined) return ''
  const parts: string[] = []
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue
    for (const item of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      parts.push(`${name}=${encodeURIComponent(item === true ? '1' : String(item))}`)
    }
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

/** As apps/daemon/src/http/body-file.ts reads it. The start of this process says that it is not a proxy's file that is meant. */
function describeFile(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true })
  // proc_pid_fdinfo(5); Node has no lseek(2).
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
  // Field 22 of proc_pid_stat(5); the second may hold spaces.
  const startTime = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ')[19]
  return `${fd} ${dev} ${ino} ${/^pos:\s*(\d+)/m.exec(info)?.[1] ?? '-'} ${startTime}`
}

async function responseError(response: HttpResponse): Promise<ResponseError> {
  const { status } = response.head
  return new ResponseError(status, await errorMessage(response.body, status))
}

async function errorMessage(body: BodyStream, status: number): Promise<string> {
  const text = (await body.bytes(MAX_ERROR_BYTES)).toString()
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'message' in value)
      return String(value.message)
  } catch {
    // Not JSON: a proxy, or a route that does not exist.
  }
  return text.trim() === '' ? `request returned status ${status}` : text.trim()
}

function parseJson(bytes: Buffer): unknown {
  const text = bytes.toString()
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new EngineError(
      'INTERNAL',
      `the daemon answered with invalid JSON: ${text.slice(0, 80)}`,
      {
        cause: error,
      },
    )
  }
}
