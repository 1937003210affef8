import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, renameSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'

export const WORK_PREFIX = 'work-'

/**
 * Layers are unpacked and blobs received before they have a place, which is then given by rename(2) and link(2). Where somebody has
 * mounted a filesystem on `snapshots` or `content`, these do not lead there from `tmp` (EXDEV): it is done beside the place.
 */
export class WorkPlaces {
  readonly #tmp: string
  readonly #snapshots: string
  readonly #ingest: string
  #isOneFilesystem: { readonly snapshots: boolean; readonly content: boolean } | undefined

  constructor(paths: { tmp: string; snapshots: string; ingest: string }) {
    this.#tmp = paths.tmp
    this.#snapshots = paths.snapshots
    this.#ingest = paths.ingest
  }

  /** Where a layer is unpacked that is not in a workspace; undefined: it can be in one. */
  get ofLayers(): string | undefined {
    return this.#probed().snapshots ? undefined : this.#snapshots
  }

  get ofBlobs(): string | undefined {
    return this.#probed().content ? undefined : this.#ingest
  }

  /** A bind mount of the same filesystem has the same device number, and yet nothing is renamed over its border: tried, once. */
  #probed(): { readonly snapshots: boolean; readonly content: boolean } {
    this.#isOneFilesystem ??= {
      snapshots: canRename(this.#tmp, this.#snapshots),
      content: canLink(this.#tmp, this.#ingest),
    }
    return this.#isOneFilesystem
  }
}

export function workName(): string {
  return `${WORK_PREFIX}${randomBytes(8).toString('hex')}`
}

function canRename(from: string, to: string): boolean {
  const name = workName()
  mkdirSync(join(from, name))
  const isMoved = succeeds(() => renameSync(join(from, name), join(to, name)))
  rmdirSync(join(isMoved ? to : from, name))
  return isMoved
}

function canLink(from: string, to: string): boolean {
  const name = workName()
  writeFileSync(join(from, name), '')
  const isLinked = succeeds(() => linkSync(join(from, name), join(to, name)))
  unlinkSync(join(from, name))
  if (isLinked) unlinkSync(join(to, name))
  return isLinked
}

function succeeds(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (isErrno(error, 'EXDEV')) return false
    throw error
  }
}
