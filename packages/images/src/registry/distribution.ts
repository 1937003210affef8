import type { AuthConfig } from '@ctr/api'
import { MAX_FOREIGN_JSON_BYTES, MEDIA_TYPE, type Platform, withDefaultTag } from '@ctr/oci'
import { parseImageConfig } from '../config.ts'
import { parseUserReference } from '../lookup.ts'
import { parseIndex, parseManifest } from '../manifest.ts'
import { RegistryClient } from './client.ts'
import { endpointsOf, type RegistrySettings } from './endpoint.ts'
import { translatePullError } from './errors.ts'

export interface Distribution {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platforms: readonly Platform[]
}

/** What a registry has under a name, without pulling it. Errors as of a pull. */
export async function inspectDistribution(
  settings: RegistrySettings,
  name: string,
  options: { readonly auth?: AuthConfig; readonly signal?: AbortSignal },
): Promise<Distribution> {
  const reference = withDefaultTag(parseUserReference(name))
  try {
    const client = await RegistryClient.connect({
      endpoints: endpointsOf(reference.domain, settings, 'push').flat(),
      path: reference.path,
      actions: 'pull',
      auth: options.auth,
      signal: options.signal,
    })
    const { data, digest, mediaType } = await client.manifest(
      reference.digest ?? reference.tag ?? 'latest',
    )
    const isIndex = mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerIndex
    const platforms = isIndex
      ? parseIndex(data).manifests.flatMap(({ platform }) => platform ?? [])
      : [await platformOf(client, data)]
    return { mediaType, digest, size: data.byteLength, platforms }
  } catch (error) {
    throw translatePullError(error, reference)
  }
}

async function platformOf(client: RegistryClient, manifest: Buffer): Promise<Platform> {
  const { config } = parseManifest(manifest)
  const { os, architecture, variant } = parseImageConfig(
    await client.document(config.digest, MAX_FOREIGN_JSON_BYTES),
  )
  return { os, architecture, variant }
}
