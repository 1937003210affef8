import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { AuthConfig } from '@ctr/api'
import { EngineError, isEngineError } from '@ctr/errdefs'
import { digestOf, MAX_FOREIGN_JSON_BYTES, MEDIA_TYPE, parseForeignJson } from '@ctr/oci'
import { parseChallenges } from './challenge.ts'
import type { Endpoint } from './endpoint.ts'
import { RegistryError, readBody, readError } from './errors.ts'
import { discard, type RegistryRequest, send } from './http.ts'

export interface RegistryClientOptions {
  readonly endpoints: readonly Endpoint[]
  /** `library/busybox`; '' to ask for no repository. */
  readonly path: string
  readonly actions: 'pull' | 'pull,push'
  readonly auth: AuthConfig | undefined
  readonly signal: AbortSignal | undefined
}

export interface FetchedManifest {
  readonly data: Buffer
  readonly digest: string
  readonly mediaType: string
}

const MANIFEST_TYPES = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifest,
].join(', ')
/** As containerd. */
const MAX_TOKEN_BYTES = 1 << 20
/** Nobody pulls more; a registry that goes on for ever is told apart by them. */
const MAX_TAGS = 10_000
const MAX_PAGES = 1000

/** One repository of a registry. OCI distribution-spec v1.1, and Docker's token authentication. */
export class RegistryClient {
  readonly #options: RegistryClientOptions
  readonly #endpoint: Endpoint
  #authorization: string | undefined

  private constructor(options: RegistryClientOptions, endpoint: Endpoint) {
    this.#options = options
    this.#endpoint = endpoint
    const token = options.auth?.registrytoken
    if (token !== undefined && token !== '') this.#authorization = `Bearer ${token}`
  }

  /** Finds the first endpoint that answers. Throws what the first one failed with, if none does. */
  static async connect(options: RegistryClientOptions): Promise<RegistryClient> {
    let failure: unknown
    for (const endpoint of options.endpoints) {
      const client = new RegistryClient(options, endpoint)
      try {
        await client.#ping()
        return client
      } catch (error) {
        if (!isEngineError(error, 'UPSTREAM')) throw error
        // Of TLS and plain HTTP on loopback the second one says what matters.
        failure = endpoint.base.startsWith('http:') ? error : (failure ?? error)
      }
    }
    throw failure
  }

  async manifest(reference: string): Promise<FetchedManifest> {
    const response = await this.#request({
      method: 'GET',
      path: `manifests/${reference}`,
      headers: { Accept: MANIFEST_TYPES },
    })
    const data = await readBody(response, MAX_FOREIGN_JSON_BYTES)
    const mediaType = (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
    return { data, digest: digestOf(data), mediaType }
  }

  /** All tags of the repository; a registry may give them in pages. UPSTREAM if they do not end. distribution-spec §Content Discovery */
  async tags(): Promise<string[]> {
    const tags = new Set<string>()
    let page: string | undefined = ''
    for (let pages = 0; page !== undefined; pages++) {
      if (pages === MAX_PAGES || tags.size > MAX_TAGS) {
        throw new EngineError('UPSTREAM', `the registry lists more than ${MAX_TAGS} tags`)
      }
      const response = await this.#request({ method: 'GET', path: `tags/list${page}`, headers: {} })
      const { tags: listed } = parseObject(await readBody(response, MAX_FOREIGN_JSON_BYTES))
      if (Array.isArray(listed)) {
        for (const tag of listed) if (typeof tag === 'string') tags.add(tag)
      }
      page = nextPage(response.headers['link'])
    }
    return [...tags]
  }

  /** A small blob (a config), checked. */
  async document(digest: string, maxBytes: number): Promise<Buffer> {
    const response = await this.blob(digest, 0)
    const data = await readBody(response, maxBytes)
    if (digestOf(data) !== digest) {
      throw new EngineError('UPSTREAM', `filesystem layer verification failed for digest ${digest}`)
    }
    return data
  }

  /** The blob's bytes from `offset` on: status 206, or 200 with all of it where the registry has no ranges. */
  async blob(digest: string, offset: number): Promise<IncomingMessage> {
    return await this.#request({
      method: 'GET',
      path: `blobs/${digest}`,
      headers: offset === 0 ? {} : { Range: `bytes=${offset}-` },
    })
  }

  async hasBlob(digest: string): Promise<boolean> {
    try {
      const response = await this.#request({ method: 'HEAD', path: `blobs/${digest}`, headers: {} })
      discard(response)
      return true
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return false
      throw error
    }
  }

  /** Uploads a blob in one piece. */
  async putBlob(digest: string, size: number, open: () => Readable): Promise<void> {
    const started = await this.#request({
      method: 'POST',
      path: 'blobs/uploads/',
      headers: { 'Content-Length': '0' },
    })
    discard(started)
    const location = started.headers.location
    if (location === undefined)
      throw new EngineError('UPSTREAM', 'the registry gave no upload location')
    const url = URL.parse(location, this.#endpoint.base)
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new EngineError('UPSTREAM', `unsupported upload location ${url?.protocol ?? location}`)
    }
    url.searchParams.set('digest', digest)
    const response = await this.#send({
      method: 'PUT',
      url: url.href,
      headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) },
      body: open(),
    })
    if (response.statusCode !== 201) throw await readError(response)
    discard(response)
  }

  async putManifest(reference: string, data: Buffer, mediaType: string): Promise<void> {
    const response = await this.#request({
      method: 'PUT',
      path: `manifests/${reference}`,
      headers: { 'Content-Type': mediaType },
      body: data,
    })
    discard(response)
  }

  /** After `connect`: whether the credentials are good. For Basic this is the first time that they are sent. */
  async checkAccess(): Promise<void> {
    const url = `${this.#endpoint.base}/v2/`
    const response = await this.#send({ method: 'GET', url, headers: {} })
    discard(response)
    const { statusCode, statusMessage } = response
    if (statusCode === 200) return
    throw new EngineError(
      statusCode === 401 ? 'UNAUTHENTICATED' : 'UPSTREAM',
      `login attempt to ${url} failed with status: ${statusCode} ${statusMessage}`,
    )
  }

  async #ping(): Promise<void> {
    const response = await this.#send({
      method: 'GET',
      url: `${this.#endpoint.base}/v2/`,
      headers: {},
    })
    discard(response)
    const status = response.statusCode ?? 0
    if (status === 401) await this.#authenticate(response)
    else if (status !== 200) {
      throw new EngineError(
        'UPSTREAM',
        `${this.#endpoint.base} is no registry: HTTP status ${status}`,
      )
    }
  }

  /** Throws a RegistryError for any answer but 2xx. After a 401 it authenticates and tries once more. */
  async #request(
    request: Pick<RegistryRequest, 'method' | 'headers'> & { path: string; body?: Buffer },
  ): Promise<IncomingMessage> {
    const { path, ...rest } = request
    const url = `${this.#endpoint.base}/v2/${this.#options.path}/${path}`
    let response = await this.#send({ ...rest, url })
    if (response.statusCode === 401 && (await this.#authenticate(response))) {
      discard(response)
      response = await this.#send({ ...rest, url })
    }
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    throw await readError(response)
  }

  async #send(request: Omit<RegistryRequest, 'verifiesTls' | 'signal'>): Promise<IncomingMessage> {
    const isOurs = new URL(request.url).origin === new URL(this.#endpoint.base).origin
    const authorization =
      this.#authorization === undefined || !isOurs ? {} : { Authorization: this.#authorization }
    return await send({
      ...request,
      headers: { ...request.headers, ...authorization },
      verifiesTls: this.#endpoint.verifiesTls,
      signal: this.#options.signal,
    })
  }

  /** Answers a challenge. False if there is nothing (more) to answer with. */
  async #authenticate(response: IncomingMessage): Promise<boolean> {
    const challenges = parseChallenges(String(response.headers['www-authenticate'] ?? ''))
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    const before = this.#authorization
    if (bearer !== undefined) {
      this.#authorization = `Bearer ${await this.#fetchToken(bearer.parameters)}`
      return true
    }
    const basic = basicAuth(this.#options.auth)
    if (challenges.some(({ scheme }) => scheme === 'basic')) {
      if (basic === undefined) {
        const url = `${this.#endpoint.base}/v2/`
        throw new EngineError('UNAUTHENTICATED', `Get "${url}": no basic auth credentials`)
      }
      this.#authorization = basic
    }
    return this.#authorization !== before
  }

  async #fetchToken(parameters: Readonly<Record<string, string>>): Promise<string> {
    const { auth, path, actions } = this.#options
    const realm = URL.parse(parameters['realm'] ?? '')
    if (realm === null || !['http:', 'https:'].includes(realm.protocol)) {
      throw new EngineError('UPSTREAM', 'the registry asks for a token but names no valid realm')
    }
    // Without a repository it is only about who we are.
    const scope = path === '' ? '' : `repository:${path}:${actions}`
    const service = parameters['service'] ?? ''
    const identity = auth?.identitytoken ?? ''
    const response =
      identity === ''
        ? await this.#sendToken(
            'GET',
            withQuery(realm, { service, scope }),
            basicAuth(auth),
            undefined,
          )
        : await this.#sendToken('POST', realm, undefined, {
            grant_type: 'refresh_token',
            refresh_token: identity,
            client_id: 'ctr',
            service,
            ...(scope === '' ? {} : { scope }),
          })
    if (response.statusCode !== 200) throw await readError(response)
    const document = parseObject(await readBody(response, MAX_TOKEN_BYTES))
    const token = document['token'] ?? document['access_token']
    // Only what a header can hold. RFC 6750 section 2.1 has fewer characters.
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw new EngineError(
        'UPSTREAM',
        'authorization server did not include a token in the response',
      )
    }
    return token
  }

  async #sendToken(
    method: 'GET' | 'POST',
    url: URL,
    authorization: string | undefined,
    form: Record<string, string> | undefined,
  ): Promise<IncomingMessage> {
    return await send({
      method,
      url: url.href,
      headers: {
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...(form === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }),
      },
      ...(form === undefined ? {} : { body: Buffer.from(new URLSearchParams(form).toString()) }),
      verifiesTls: this.#endpoint.verifiesTls,
      signal: this.#options.signal,
    })
  }
}

function basicAuth(auth: AuthConfig | undefined): string | undefined {
  if (auth?.auth !== undefined && auth.auth !== '') return `Basic ${auth.auth}`
  const { username = '', password = '' } = auth ?? {}
  if (username === '') return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function withQuery(url: URL, query: Record<string, string>): URL {
  const result = new URL(url)
  for (const [key, value] of Object.entries(query)) {
    if (value !== '') result.searchParams.set(key, value)
  }
  return result
}

/** The query of the next page. RFC 8288 */
function nextPage(link: string | string[] | undefined): string | undefined {
  const target = /<([^<>]*)>\s*;\s*rel="?next"?/.exec(String(link ?? ''))?.[1] ?? ''
  const queryAt = target.indexOf('?')
  return queryAt === -1 ? undefined : target.slice(queryAt)
}

function parseObject(data: Buffer): Record<string, unknown> {
  try {
    const value: unknown = parseForeignJson(data)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Reported by the caller: there is nothing in it.
  }
  return {}
}
