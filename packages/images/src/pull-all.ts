import type { ProgressMessage } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { familiarName, type Reference } from '@ctr/oci'
import type { ImageDeps } from './deps.ts'
import type { Image } from './image.ts'
import { parseUserReference } from './lookup.ts'
import { parsePlatform } from './manifest.ts'
import { type PullOptions, pullImage } from './pull.ts'
import { RegistryClient } from './registry/client.ts'
import { endpointsOf } from './registry/endpoint.ts'
import { translatePullError } from './registry/errors.ts'

/**
 * `docker pull --all-tags`: the images of all tags that the registry has for a name, one after the other. What is said of
 * newer images is said once, at the end.
 */
export async function pullAllTags(
  deps: ImageDeps,
  name: string,
  options: PullOptions,
): Promise<Image[]> {
  const reference = parseUserReference(name)
  const progress = options.onProgress ?? (() => {})
  // Before a registry is asked.
  if (options.platform !== undefined && options.platform !== '') parsePlatform(options.platform)
  let isNew = false
  const onProgress = (message: ProgressMessage): void => {
    const { status = '' } = message
    if (status.startsWith('Status: Downloaded newer image')) isNew = true
    if (!status.startsWith('Status: ')) progress(message)
  }
  const images: Image[] = []
  for (const tag of await tagsOf(deps, reference, options)) {
    images.push(await pullImage(deps, `${name}:${tag}`, { ...options, onProgress }))
  }
  progress({
    status: `Status: ${isNew ? 'Downloaded newer image' : 'Image is up to date'} for ${familiarName(reference)}`,
  })
  return images
}

/** Asks mirrors first, as a pull. */
async function tagsOf(
  deps: ImageDeps,
  reference: Reference,
  { auth, signal }: PullOptions,
): Promise<string[]> {
  const registries = endpointsOf(reference.domain, deps.registries, 'pull')
  const { path } = reference
  let failure: unknown = new EngineError('INTERNAL', 'no registry to ask')
  for (const endpoints of registries) {
    try {
      const client = await RegistryClient.connect({
        endpoints,
        path,
        actions: 'pull',
        auth,
        signal,
      })
      return await client.tags()
    } catch (error) {
      failure = error
    }
  }
  throw translatePullError(failure, reference)
}
