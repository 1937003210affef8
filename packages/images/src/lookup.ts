import { EngineError } from '@ctr/errdefs'
import {
  familiarReference,
  isDigest,
  parseReference,
  type Reference,
  ReferenceError,
  repositoryOf,
  withDefaultTag,
} from '@ctr/oci'
import type { ImageRow, ImageTable } from '@ctr/store'

const ID_HEX = /^[0-9a-f]{64}$/
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{1,64})$/

/** The image that a user means: a full id, a name (which wins over an id's beginning), or the beginning of one id. */
export function findImageRow(table: ImageTable, ref: string): ImageRow | undefined {
  const id = ID_HEX.test(ref) ? `sha256:${ref}` : ref
  if (isDigest(id)) return table.image(id)
  const reference = parseUserReference(ref)
  const named = reference === undefined ? undefined : rowOfName(table, reference)
  if (named !== undefined) return named
  const prefix = ID_PREFIX.exec(ref)?.[1]
  const matches = prefix === undefined ? [] : table.imagesByPrefix(prefix)
  if (matches.length > 1) {
    throw new EngineError('INVALID_ARGUMENT', `image id prefix ${ref} is ambiguous`)
  }
  return matches[0]
}

export function getImageRow(table: ImageTable, ref: string): ImageRow {
  const row = findImageRow(table, ref)
  if (row === undefined) throw noSuchImage(ref)
  return row
}

function noSuchImage(ref: string): EngineError {
  const id = ID_HEX.test(ref) ? `sha256:${ref}` : ref
  const shown = isDigest(id) ? id : familiarReference(withDefaultTag(parseReference(ref)))
  return new EngineError('NOT_FOUND', `No such image: ${shown}`)
}

/** A reference as a user writes it. Throws INVALID_ARGUMENT with Docker's text. */
export function parseUserReference(text: string): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof ReferenceError)
      throw new EngineError('INVALID_ARGUMENT', error.message, { cause: error })
    throw error
  }
}

function rowOfName(table: ImageTable, reference: Reference): ImageRow | undefined {
  const repository = repositoryOf(reference)
  // With a digest the tag says nothing: content is fixed, a tag moves.
  const name =
    reference.digest === undefined
      ? table.tag(repository, reference.tag ?? 'latest')
      : table.digest(repository, reference.digest)
  return name === undefined ? undefined : table.image(name.imageId)
}
