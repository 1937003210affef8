import { booleanFilter, type Filters, type ImageDeleted } from '@ctr/api'
import { isEngineError } from '@ctr/errdefs'
import { transaction } from '@ctr/store'
import type { ImageDeps } from './deps.ts'
import { toImage } from './image.ts'
import { compileMatches } from './list.ts'
import { type RemoveOptions, referencesOf, removeImage, removeRows } from './remove.ts'

/** Removes images without a tag, or with `dangling=false` all, that no container uses. Filters: dangling, label, label!, until. */
export function pruneImages(
  deps: ImageDeps,
  filters: Filters,
  usedBy: RemoveOptions['usedBy'],
  o: DryRunOptions = {},
): Pruned {
  if (o.isDryRun === true) {
    return dryRun(deps, () => {
      for (const id of o.withoutContainers ?? []) deps.table.removeContainerLayer(id)
      return prune(deps, filters, usedBy, removeRowsOnly)
    })
  }
  return prune(deps, filters, usedBy, removeImage)
}

export interface DryRunOptions {
  readonly isDryRun?: boolean | undefined
  /** As if the layers of these containers had gone before. */
  readonly withoutContainers?: ReadonlySet<string> | undefined
}

interface Pruned {
  readonly deleted: ImageDeleted[]
  readonly spaceReclaimed: number
}

/** The same steps, taken back: the answer cannot differ from what a prune would do. */
function dryRun(deps: ImageDeps, body: () => Pruned): Pruned {
  let pruned: Pruned = { deleted: [], spaceReclaimed: 0 }
  const rollback = new Error('dry run')
  try {
    transaction(deps.store, () => {
      pruned = body()
      throw rollback
    })
  } catch (error) {
    if (error !== rollback) throw error
  }
  return pruned
}

type Remove = typeof removeImage

function removeRowsOnly(...args: Parameters<Remove>): ImageDeleted[] {
  return removeRows(...args).records
}

function prune(
  deps: ImageDeps,
  filters: Filters,
  usedBy: RemoveOptions['usedBy'],
  remove: Remove,
): Pruned {
  const { table } = deps
  const isDanglingOnly = booleanFilter(filters, 'dangling') ?? true
  const matches = compileMatches(deps, filters)
  const sizes = new Map(table.layers().map((layer) => [layer.chainId, layer.size]))
  const deleted: ImageDeleted[] = []
  for (const row of table.images()) {
    if (!matches.every((match) => match(toImage(deps, row)))) continue
    const references = referencesOf(table, row.id)
    if (references.length === 0 && table.imageChildren(row.id).length > 0) continue
    if (isDanglingOnly && references.some((reference) => reference.isTag)) continue
    const targets = references.length === 0 ? [row.id] : references.map(({ text }) => text)
    for (const target of targets) {
      deleted.push(...removeIfUnused(deps, target, usedBy, remove))
    }
  }
  const spaceReclaimed = deleted.reduce(
    (sum, item) => sum + (sizes.get(item.Deleted ?? '') ?? 0),
    0,
  )
  return { deleted, spaceReclaimed }
}

/** A conflict means that it is needed; not found, that it went with another one. */
function removeIfUnused(
  deps: ImageDeps,
  target: string,
  usedBy: RemoveOptions['usedBy'],
  remove: Remove,
): ImageDeleted[] {
  try {
    return remove(deps, target, { force: false, prune: true, usedBy })
  } catch (error) {
    if (isEngineError(error, 'CONFLICT') || isEngineError(error, 'NOT_FOUND')) return []
    throw error
  }
}
