import { assertPlatform, type Engine, pullImage } from '@ctr/engine'
import { messageOf } from '@ctr/errdefs'
import type { Image } from '@ctr/images'
import { parseReference } from '@ctr/oci'
import type { BuildOutput, BuildRequest } from './request.ts'

/** An image of this host, or of a registry: of another build, when the request says so, even if it is here. */
export async function findBaseImage(
  engine: Pick<Engine, 'images' | 'events'>,
  reference: string,
  platform: string,
  request: BuildRequest,
  output: BuildOutput,
): Promise<Image> {
  const local = request.pulls ? undefined : fitting(engine, reference, platform)
  if (local !== undefined) return local
  const { domain, tag, digest } = parseReference(reference)
  const auth = request.auth(domain)
  const wanted = tag === undefined && digest === undefined ? `${reference}:latest` : reference
  return await pullImage(engine, wanted, {
    ...(platform === '' ? {} : { platform }),
    ...(auth === undefined ? {} : { auth }),
    onProgress: (message) => output.progress(message),
    signal: request.signal,
  })
}

function fitting(
  engine: Pick<Engine, 'images'>,
  reference: string,
  platform: string,
): Image | undefined {
  const image = engine.images.find(reference)
  if (image === undefined) return undefined
  try {
    assertPlatform(image.config, reference, platform)
    return image
  } catch {
    return undefined
  }
}

export function failedFrom(reference: string, error: unknown): Error {
  return new Error(`invalid from flag value ${reference}: ${messageOf(error)}`, { cause: error })
}
