import type { AuthConfig } from '@ctr/api'
import type { ConfigValues } from './config-file.ts'
import { encodeAuth, readCredentials } from './credentials.ts'

/** Of every registry that the configuration names, as `X-Registry-Config` wants them: a build may need several. */
export async function allCredentials(config: ConfigValues): Promise<string | undefined> {
  const registries = new Set([
    ...Object.keys(config.auths ?? {}),
    ...Object.keys(config.credHelpers ?? {}),
  ])
  const found: Record<string, AuthConfig> = {}
  for (const registry of registries) {
    const credentials = await readCredentials(config, registry)
    if (credentials !== undefined) found[registry] = credentials
  }
  return Object.keys(found).length === 0 ? undefined : encodeAuth(found as AuthConfig)
}
