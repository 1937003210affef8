import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Engine } from '@ctr/engine'
import { EngineError, invalid } from '@ctr/errdefs'
import { connectionError, encodeHeader, fromText, paddingOf, TAR_END } from '@ctr/images'
import type { CopySource } from './copy-sources.ts'
import { Tree } from './tree.ts'

export function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text)
}

/** What a URL gave. */
interface Fetched extends AsyncDisposable {
  readonly source: CopySource & { readonly isRemote: true }
}

/** Downloads what ADD names by a URL; its name is the last one of the URL's path. */
export async function fetchSource(
  engine: Pick<Engine, 'images'>,
  address: string,
  destination: string,
  signal: AbortSignal,
): Promise<Fetched> {
  const url = URL.parse(address)
  if (url === null) throw invalid(`invalid URL ${JSON.stringify(address)}`)
  const name = fromText(decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1)))
  const isNameless = name === '' || name === '.' || name === '..' || /[/\0]/.test(name)
  if (isNameless && destination.endsWith('/')) {
    throw invalid(`cannot determine filename from url: ${address}`)
  }
  const response = await openUrl(url, signal)
  const path = isNameless ? 'file' : name
  const hash = createHash('sha256')
  const changedMs = Date.parse(response.headers.get('last-modified') ?? '')
  const mtimeSeconds = Number.isNaN(changedMs) ? 0 : Math.floor(changedMs / 1000)
  const aside = await engine.images.unpackAside(
    oneFile(path, mtimeSeconds, response, hash),
    'download',
  )
  const tree = new Tree([aside.directory])
  const node = tree.find(path, { follow: false })
  if (node === undefined) throw new EngineError('INTERNAL', `${address} was not stored`)
  const source = {
    tree,
    node,
    name: path,
    hash: `file:${hash.digest('hex')}`,
    isRemote: true as const,
  }
  return { source, [Symbol.asyncDispose]: () => aside[Symbol.asyncDispose]() }
}

/** A successful answer. UPSTREAM. */
export async function openUrl(url: URL, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal }).catch((cause: unknown) => {
    throw connectionError('GET', url, cause)
  })
  if (response.ok && response.body !== null) return response
  await response.body?.cancel()
  throw new EngineError(
    'UPSTREAM',
    `failed to GET ${url.href} with status ${response.status} ${response.statusText}`,
  )
}

export function bodyOf(response: Response): Readable {
  return Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
}

/** The header says how long it is before the last byte is here: so what has no length is collected first, piece by piece as a file grows. */
async function* oneFile(
  path: string,
  mtimeSeconds: number,
  response: Response,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  hash.update(`${path}\0${mtimeSeconds === 0 ? '' : mtimeSeconds}\0`)
  const isEncoded = response.headers.has('content-encoding')
  const length = isEncoded ? undefined : (response.headers.get('content-length') ?? undefined)
  const body = bodyOf(response) as AsyncIterable<Buffer>
  const head = (size: number): Buffer =>
    encodeHeader({ path, type: 'file', mode: 0o600, size, mtimeSeconds })
  if (length !== undefined) {
    const size = Number(length)
    yield head(size)
    for await (const chunk of body) {
      hash.update(chunk)
      yield chunk
    }
    yield Buffer.alloc(paddingOf(size))
  } else {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of body) {
      hash.update(chunk)
      size += chunk.length
      if (size > MAX_UNSIZED_BYTES) {
        throw new EngineError(
          'UPSTREAM',
          `an answer without a length is larger than ${MAX_UNSIZED_BYTES} bytes`,
        )
      }
      chunks.push(chunk)
    }
    yield head(size)
    yield* chunks
    yield Buffer.alloc(paddingOf(size))
  }
  yield TAR_END
}

/** Kept in memory. */
const MAX_UNSIZED_BYTES = 64 << 20
