import { EngineError } from '@ctr/errdefs'
import type { ImageConfig } from '@ctr/oci'
import { withDefaultTag } from '@ctr/oci'
import { applyChanges } from '../changes.ts'
import type { ImageDeps } from '../deps.ts'
import { timeNow } from '../image.ts'
import { adoptImage } from '../layer/adopt.ts'
import { stageStream } from '../layer/stage.ts'
import { parseUserReference } from '../lookup.ts'
import { hostPlatform, parsePlatform } from '../manifest.ts'
import { Workspace } from '../paths.ts'
import { setTag } from '../tag.ts'

export interface ImportOptions {
  reference?: string
  message?: string
  /** Dockerfile instructions. */
  changes: readonly string[]
  platform?: string
}

/** Makes an image of one layer from a root filesystem's tar, plain or compressed. Returns its id. */
export async function importImage(
  deps: ImageDeps,
  source: AsyncIterable<Buffer>,
  options: ImportOptions,
): Promise<string> {
  const exec = applyChanges({}, options.changes)
  const reference =
    options.reference === undefined ? undefined : parseUserReference(options.reference)
  if (reference?.digest !== undefined) {
    throw new EngineError('INVALID_ARGUMENT', 'cannot import digest reference')
  }
  const { os, architecture, variant } = parsePlatform(options.platform ?? hostPlatform())
  if (os !== 'linux')
    throw new EngineError('INVALID_ARGUMENT', `cannot import ${os} image on linux`)
  await using workspace = new Workspace(deps.paths, 'import')
  const staged = await stageStream(deps, workspace, source)
  const created = timeNow().text
  const comment = options.message ?? 'Imported from -'
  const parsed: ImageConfig & { comment: string } = {
    architecture,
    ...(variant === undefined ? {} : { variant }),
    comment,
    config: exec,
    created,
    history: [{ created, comment }],
    os,
    rootfs: { type: 'layers', diff_ids: [staged.layer.diffId] },
  }
  const also = (imageId: string): void => {
    if (reference !== undefined) setTag(deps, imageId, withDefaultTag(reference))
  }
  const config = Buffer.from(JSON.stringify(parsed))
  const image = { config, parsed, parent: undefined, also }
  // The one layer is its own chain.
  const adopted = await adoptImage(deps, image, new Map([[staged.layer.diffId, staged]]))
  if (adopted === undefined) throw new EngineError('INTERNAL', 'the imported layer is missing')
  return adopted.id
}
