import { Readable } from 'node:stream'
import { importImage, pullAllTags, pullImage } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { connectionError } from '@ctr/images'
import { parseReference } from '@ctr/oci'
import { serveProgress } from '../../http/progress.ts'
import { type Call, route } from '../../http/route.ts'
import { parseRegistryAuth } from './registry-auth.ts'

export const createImageRoute = route({
  method: 'POST',
  path: '/images/create',
  summary: 'Pull an image (fromImage), or import a root filesystem (fromSrc)',
  query: {
    fromImage: 'string',
    fromSrc: 'string',
    repo: 'string',
    tag: 'string',
    message: 'string',
    changes: 'strings',
    platform: 'string',
  },
  takesStream: true,
  status: 200,
  handle: async ({ engine }, call) => {
    const { fromImage, fromSrc, repo, tag, message, changes } = call.query
    // Of v1.32.
    const platform = call.apiMinor < 32 ? undefined : call.query.platform
    if (fromImage !== undefined) {
      const auth = parseRegistryAuth(call.headers['x-registry-auth'])
      await serveProgress(call, async (send) => {
        const reference = withTag(fromImage, tag)
        const pull = isNameOnly(reference) ? pullAllTags : pullImage
        await pull(engine, reference, {
          ...(platform === undefined ? {} : { platform }),
          ...(auth === undefined ? {} : { auth }),
          onProgress: send,
          signal: call.signal,
        })
      })
      return undefined
    }
    await serveProgress(call, async (send) => {
      const id = await importImage(engine, await source(fromSrc, call), {
        ...(repo === undefined ? {} : { reference: withTag(repo, tag) }),
        ...(message === undefined ? {} : { message }),
        ...(platform === undefined ? {} : { platform }),
        changes: [...changes],
      })
      send({ status: id })
    })
    return undefined
  },
})

/** `tag` may be a digest. */
function withTag(name: string, tag: string | undefined): string {
  if (tag === undefined) return name
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`
}

/** Neither tag nor digest: all tags are meant. What is no reference at all is refused by the pull of one image. */
function isNameOnly(reference: string): boolean {
  try {
    const { tag, digest } = parseReference(reference)
    return tag === undefined && digest === undefined
  } catch {
    return false
  }
}

/** `-` is the request's body; a URL is fetched by the daemon. */
async function source(
  fromSrc: string | undefined,
  call: Pick<Call, 'openInput'>,
): Promise<Readable> {
  if (fromSrc === '-') return await call.openInput()
  if (fromSrc === undefined) {
    throw new EngineError('INVALID_ARGUMENT', 'fromImage or fromSrc must be given')
  }
  const url = URL.parse(fromSrc.includes('://') ? fromSrc : `http://${fromSrc}`)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new EngineError('INVALID_ARGUMENT', `invalid source ${JSON.stringify(fromSrc)}`)
  }
  const response = await fetch(url).catch((cause: unknown) => {
    throw connectionError('GET', url, cause)
  })
  if (!response.ok || response.body === null) {
    throw new EngineError('UPSTREAM', `got HTTP status code ${response.status} from ${url.href}`)
  }
  return Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
}
