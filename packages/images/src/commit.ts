import { EngineError } from '@ctr/errdefs'
import { chainIds, type ImageConfig, type ImageExecConfig, withDefaultTag } from '@ctr/oci'
import { MAX_LAYERS } from './config.ts'
import type { ImageDeps } from './deps.ts'
import { timeNow } from './image.ts'
import { adoptImage, type StagedLayer } from './layer/adopt.ts'
import { stageDirectory, stageStream } from './layer/stage.ts'
import { getImageRow, parseUserReference } from './lookup.ts'
import { hostArchitecture } from './manifest.ts'
import { snapshotPath, Workspace } from './paths.ts'
import { setTag } from './tag.ts'

export interface CommitOptions {
  /** Image of the container. */
  parentId: string | undefined
  changes: LayerChanges
  config: ImageExecConfig
  reference?: string
  author: string
  comment: string
  /** Command that made the changes, for history. */
  createdBy: string
}

/** What a new image has on top of its parent. */
export type LayerChanges =
  /** A container's writable layer, absolute. The container may go on changing it. */
  | { readonly kind: 'container'; readonly upperDir: string }
  /** An archive in the format of image layers. */
  | { readonly kind: 'archive'; readonly tar: AsyncIterable<Buffer> }
  /** The layer that another image has there. */
  | { readonly kind: 'layer'; readonly diffId: string }
  | { readonly kind: 'none' }

/** Makes an image of what has changed on top of another image, or of nothing. Returns the new image's id. */
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
  const staged = await stage(deps, workspace, options.changes, sameRootAs)
  const { changes } = options
  const diffId = changes.kind === 'layer' ? changes.diffId : staged?.layer.diffId
  const parsed = newConfig(base, diffId, options)
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

async function stage(
  deps: ImageDeps,
  workspace: Workspace,
  changes: LayerChanges,
  sameRootAs: string | undefined,
): Promise<StagedLayer | undefined> {
  switch (changes.kind) {
    case 'container':
      return await stageDirectory(deps, workspace, { upperDir: changes.upperDir, sameRootAs })
    case 'archive':
      return await stageStream(deps, workspace, changes.tar)
    case 'layer':
    case 'none':
      return undefined
  }
}

function newConfig(
  base: ImageConfig | undefined,
  diffId: string | undefined,
  { author, comment, createdBy, config }: CommitOptions,
): ImageConfig & { comment: string } {
  const created = timeNow().text
  const step = {
    ...(author === '' ? {} : { author }),
    created,
    ...(createdBy === '' ? {} : { created_by: createdBy }),
    ...(comment === '' ? {} : { comment }),
    ...(diffId === undefined ? { empty_layer: true } : {}),
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
      diff_ids: diffId === undefined ? diffIds : [...diffIds, diffId],
    },
  }
}
