import type { ImageDeleted } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { type Reference, repositoryOf, shortId } from '@ctr/oci'
import { type ImageNameRow, type ImageRow, type ImageTable, transaction } from '@ctr/store'
import { type Removed, removeFiles } from './collect.ts'
import type { ImageDeps } from './deps.ts'
import { familiarDigest, familiarTag } from './image.ts'
import { getImageRow, parseUserReference } from './lookup.ts'

export interface RemoveOptions {
  /** Removes what is referenced in several repositories or used by a stopped container. */
  force: boolean
  /** Removes parents without a name as well. */
  prune: boolean
  /** Containers of an image. */
  usedBy: (imageId: string) => readonly { id: string; running: boolean }[]
}

interface Name extends ImageNameRow {
  readonly kind: 'tag' | 'digest'
}

type Conflict = { readonly isHard: boolean; readonly isUsed: boolean; readonly message: string }

/**
 * Removes a name, and the image with its last one; by id, the image with all its names. The rules and texts are
 * moby's (daemon/images/image_delete.go). Throws CONFLICT before anything is changed.
 */
export function removeImage(deps: ImageDeps, ref: string, options: RemoveOptions): ImageDeleted[] {
  const { records, removed } = removeRows(deps, ref, options)
  for (const rows of removed) removeFiles(deps, rows)
  return records
}

/** The files are the caller's to remove, after its transaction. */
export function removeRows(
  deps: Pick<ImageDeps, 'table' | 'store'>,
  ref: string,
  options: RemoveOptions,
): { records: ImageDeleted[]; removed: Removed[] } {
  const removed: Removed[] = []
  const context = { ...options, table: deps.table, removed }
  const records = transaction(deps.store, () => {
    const row = getImageRow(deps.table, ref)
    return isIdPrefix(row.id, ref) ? removeById(context, row) : removeByName(context, row, ref)
  })
  return { records, removed }
}

interface RemoveContext extends RemoveOptions {
  readonly table: ImageTable
  readonly removed: Removed[]
}

function removeByName(options: RemoveContext, row: ImageRow, ref: string): ImageDeleted[] {
  const { table } = options
  const [user] = options.usedBy(row.id)
  if (!options.force && isSingle(namesOf(table, row.id)) && user !== undefined) {
    throw new EngineError(
      'CONFLICT',
      `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(row.id)}`,
    )
  }
  const reference = parseUserReference(ref)
  const repository = repositoryOf(reference)
  const isMeant = (name: Name): boolean =>
    name.repository === repository && isNamed(name, reference)
  const records = untag(table, namesOf(table, row.id).filter(isMeant))
  const rest = namesOf(table, row.id)
  const hasTagThere = rest.some((name) => name.repository === repository && name.kind === 'tag')
  if (reference.digest === undefined && !hasTagThere) {
    // A digest alone would keep the image without any name that people see.
    records.push(
      ...untag(
        table,
        rest.filter((name) => name.repository === repository),
      ),
    )
  }
  if (namesOf(table, row.id).length > 0) return records
  return [...records, ...deleteImage(options, row, { isQuiet: true })]
}

function removeById(options: RemoveContext, row: ImageRow): ImageDeleted[] {
  const { table } = options
  const names = namesOf(table, row.id)
  if (!isSingle(names)) return deleteImage(options, row, { isQuiet: false })
  const conflict = findConflict(options, row, { ignoresNames: true })
  if (conflict !== undefined) throw toError(row, conflict)
  const records = untag(table, names)
  return [...records, ...deleteImage(options, row, { isQuiet: false })]
}

/** `isQuiet`: a name has gone already, so that a conflict only means that the image stays. */
function deleteImage(
  options: RemoveContext,
  row: ImageRow,
  { isQuiet }: { isQuiet: boolean },
): ImageDeleted[] {
  const { table } = options
  const conflict = findConflict(options, row, { ignoresNames: false })
  if (conflict !== undefined) {
    const isDangling =
      namesOf(table, row.id).length === 0 && table.imageChildren(row.id).length === 0
    if (isQuiet && (!isDangling || conflict.isUsed)) return []
    throw toError(row, conflict)
  }
  const records = untag(table, namesOf(table, row.id))
  const parent = row.parent === null ? undefined : table.image(row.parent)
  table.removeImage(row.id)
  records.push({ Deleted: row.id })
  const unused = table.removeUnused()
  options.removed.push(unused)
  records.push(...unused.layers.map((layer) => ({ Deleted: layer.chainId })))
  if (!options.prune || parent === undefined) return records
  return [...records, ...deleteImage({ ...options, force: false }, parent, { isQuiet: true })]
}

/** Hard conflicts hold also with force. */
function findConflict(
  { table, force, usedBy }: RemoveContext,
  row: ImageRow,
  { ignoresNames }: { ignoresNames: boolean },
): Conflict | undefined {
  if (table.imageChildren(row.id).length > 0) {
    return { isHard: true, isUsed: false, message: 'image has dependent child images' }
  }
  const users = usedBy(row.id)
  const running = users.find((user) => user.running)
  if (running !== undefined) {
    const message = `image is being used by running container ${shortId(running.id)}`
    return { isHard: true, isUsed: true, message }
  }
  if (force) return undefined
  if (!ignoresNames && namesOf(table, row.id).length > 0) {
    return { isHard: false, isUsed: false, message: 'image is referenced in multiple repositories' }
  }
  const [stopped] = users
  if (stopped === undefined) return undefined
  const message = `image is being used by stopped container ${shortId(stopped.id)}`
  return { isHard: false, isUsed: true, message }
}

function toError(row: ImageRow, { isHard, message }: Conflict): EngineError {
  const force = isHard ? 'cannot be forced' : 'must be forced'
  return new EngineError(
    'CONFLICT',
    `conflict: unable to delete ${shortId(row.id)} (${force}) - ${message}`,
  )
}

function untag(table: ImageTable, names: readonly Name[]): ImageDeleted[] {
  return names.map((name) => {
    if (name.kind === 'tag') table.removeTag(name.repository, name.value)
    else table.removeDigest(name.repository, name.value)
    return { Untagged: name.kind === 'tag' ? familiarTag(name) : familiarDigest(name) }
  })
}

function namesOf(table: ImageTable, imageId: string): Name[] {
  const tags = table.tags().map((row) => ({ ...row, kind: 'tag' as const }))
  const digests = table.digests().map((row) => ({ ...row, kind: 'digest' as const }))
  return [...tags, ...digests].filter((name) => name.imageId === imageId)
}

function isNamed(name: Name, reference: Reference): boolean {
  if (reference.digest !== undefined) {
    return name.kind === 'digest' && name.value === reference.digest
  }
  return name.kind === 'tag' && name.value === (reference.tag ?? 'latest')
}

/** One name; or one tag and digests of the same repository. */
function isSingle(names: readonly Name[]): boolean {
  if (names.length <= 1) return names.length === 1
  if (names.filter((name) => name.kind === 'tag').length > 1) return false
  const first = names.find((name) => name.kind === 'tag') ?? names[0]
  return names.every((name) => name.repository === first?.repository)
}

function isIdPrefix(imageId: string, ref: string): boolean {
  return imageId.startsWith(ref) || imageId.slice('sha256:'.length).startsWith(ref)
}

/** All names of an image in full, for who removes them one by one. */
export function referencesOf(
  table: ImageTable,
  imageId: string,
): { text: string; isTag: boolean }[] {
  return namesOf(table, imageId).map(({ repository, kind, value }) => ({
    text: `${repository}${kind === 'tag' ? ':' : '@'}${value}`,
    isTag: kind === 'tag',
  }))
}
