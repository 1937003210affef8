import { EngineError } from '@ctr/errdefs'
import { chainIds, type ImageConfig, type ImageExecConfig, withDefaultTag } from '@ctr/oci'
import { MAX_LAYERS } from './config.ts'
import type { ImageDeps } from './deps.ts'
import { timeNow } from './image.ts'
import { adoptImage, type StagedLayer } from './layer/adopt.ts'
import { stageDirectory } from './layer/stage.ts'
import { getImageRow, parseUserReference } from './lookup.ts'
import { hostArchitecture } from './manifest.ts'
import { snapshotPath, Workspace } from './paths.ts'
import { setTag } from './tag.ts'

export interface CommitOptions {
  /** Image of the container. */
  parentId: string | undefined
  /** Its writable layer, absolute. The container may go on changing it. */
  upperDir: string
  config: ImageExecConfig
  reference?: string
  author: string
  comment: string
  /** Command that made the changes, for history. */
  createdBy: string
}

/** Makes an image of a container's changes on top of its image. Returns the new image's id. */
export async function commitImage(deps: ImageDeps, options: CommitOptions): Promise<string> {
  const reference =
    options.reference === undefined ? undefined : parseUserReference(options.reference)
  if (reference?.digest !== undefined) {
    throw new EngineError('INVALID_ARGUMENT', 'refusing to create a tag with a digest reference')
  }
  await using workspace = new Workspace(deps.paths, 'commit')
  const parent =
    options.parentId === undefined ? undefined : getImageRow(deps.table, options.parentId)
  const base =
    parent === undefined ? undefined : (JSON.parse(parent.config.toString()) as ImageConfig)
  const sameRootAs =
    parent?.topLayer == null ? undefined : snapshotPath(deps.paths, parent.topLayer)
  const staged = await stageDirectory(deps, workspace, { upperDir: options.upperDir, sameRootAs })
  const parsed = newConfig(base, staged, options)
  if (parsed.rootfs.diff_ids.length > MAX_LAYERS) {
    throw new EngineError('INVALID_ARGUMENT', 'max depth exceeded')
  }
  const chain = chainIds(parsed.rootfs.diff_ids).at(-1) ?? ''
  const adopted = await adoptImage(
    deps,
    {
      config: Buffer.from(JSON.stringify(parsed)),
      parsed,
      parent: parent?.id,
      also: (imageId) => {
        if (reference !== undefined) setTag(deps, imageId, withDefaultTag(reference))
      },
    },
    new Map(staged === undefined ? [] : [[chain, staged]]),
  )
  if (adopted === undefined) {
    throw new EngineError(
      'CONFLICT',
      `image ${options.parentId} was removed while it was committed to`,
    )
  }
  return adopted.id
}

function newConfig(
  base: ImageConfig | undefined,
  staged: StagedLayer | undefined,
  { author, comment, createdBy, config }: CommitOptions,
): ImageConfig & { comment: string } {
  const created = timeNow().text
  const step = {
    ...(author === '' ? {} : { author }),
    created,
    ...(createdBy === '' ? {} : { created_by: createdBy }),
    ...(comment === '' ? {} : { comment }),
    ...(staged === undefined ? { empty_layer: true } : {}),
  }
  const diffIds = base?.rootfs.diff_ids ?? []
  return {
    architecture: base?.architecture || hostArchitecture(),
    ...(base?.variant === undefined ? {} : { variant: base.variant }),
    ...(author === '' ? {} : { author }),
    comment,
    config,
    created,
    history: [...(base?.history ?? []), step],
    os: base?.os || 'linux',
    rootfs: {
      type: 'layers',
      diff_ids: staged === undefined ? diffIds : [...diffIds, staged.layer.diffId],
    },
  }
}
