import { readFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { digestOf, MAX_FOREIGN_JSON_BYTES, type Reference } from '@ctr/oci'
import type { ArchiveSpool } from './spool.ts'

/** One image of an archive, as its manifest tells. */
export interface ArchivedImage {
  readonly config: Buffer
  readonly layers: readonly { readonly name: string; readonly digest: string | undefined }[]
  readonly names: readonly Reference[]
  readonly parent: string | undefined
}

export function readDocument(spool: ArchiveSpool, name: string): Buffer {
  const file = spool.file(name)
  if (file === undefined) throw new EngineError('INVALID_ARGUMENT', `invalid archive: no ${name}`)
  if (file.size > MAX_FOREIGN_JSON_BYTES) {
    throw new EngineError('INVALID_ARGUMENT', `invalid archive: ${name} is too large`)
  }
  return readFileSync(file.path)
}

/** Checks a document that is named by its digest. */
export function verifyDocument(data: Buffer, digest: string, name: string): Buffer {
  if (digestOf(data) === digest) return data
  throw new EngineError('INVALID_ARGUMENT', `invalid archive: ${name} does not match its digest`)
}

/** The digest that a member's name promises: `blobs/sha256/<hex>`. */
export function digestOfName(name: string): string | undefined {
  const match = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(name)
  return match?.[1] === undefined ? undefined : `sha256:${match[1]}`
}
