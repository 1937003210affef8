import { EngineError } from '@ctr/errdefs'
import { familiarReference, type Reference, repositoryOf, withDefaultTag } from '@ctr/oci'
import { type ImageTable, transaction } from '@ctr/store'
import type { ImageDeps } from './deps.ts'
import { timeNow } from './image.ts'
import { getImageRow, parseUserReference } from './lookup.ts'

/** Gives an image one more name; another image of that name loses it. */
export function tagImage(deps: ImageDeps, ref: string, target: string): void {
  const reference = parseUserReference(target)
  if (reference.digest !== undefined) {
    throw new EngineError('INVALID_ARGUMENT', 'refusing to create a tag with a digest reference')
  }
  if (repositoryOf(reference) === 'docker.io/library/sha256') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'refusing to create an ambiguous tag using digest algorithm as name',
    )
  }
  const image = getImageRow(deps.table, ref)
  transaction(deps.store, () => setTag(deps, image.id, withDefaultTag(reference)))
}

/** Call inside a transaction. Returns what Docker's load says about an image that lost the name. */
export function setTag(
  { table }: { table: ImageTable },
  imageId: string,
  reference: Reference,
): string[] {
  const repository = repositoryOf(reference)
  const tag = reference.tag ?? 'latest'
  const before = table.tag(repository, tag)
  if (before?.imageId === imageId) return []
  table.putTag(repository, tag, imageId)
  table.setTaggedAt(imageId, timeNow().ns)
  if (before === undefined) return []
  const shown = familiarReference({ ...reference, tag, digest: undefined })
  return [
    `The image ${shown} already exists, renaming the old one with ID ${before.imageId} to empty string`,
  ]
}
