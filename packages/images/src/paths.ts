import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncfs } from '@ctr/linux'
import { digestHex } from '@ctr/oci'
import { SpreadPlaces } from './spread-places.ts'
import { removeTrees } from './unpack/remove-trees.ts'
import { WorkPlaces, workName } from './work-places.ts'

/** Where images live below the data root. docs/state-on-disk.md */
export interface ImagePaths {
  readonly dataRoot: string
  readonly tmp: string
  /** Where workspaces begin: `tmp`, or below it. */
  readonly places: SpreadPlaces
  readonly workPlaces: WorkPlaces
  readonly blobs: string
  /** Blobs that are being downloaded, or were when a pull broke off. */
  readonly ingest: string
  readonly snapshots: string
  readonly containers: string
}

/** Nobody but root may walk into layers: they hold set-uid programs of any origin. */
const PRIVATE = 0o700

export function makeImagePaths(dataRoot: string): ImagePaths {
  const plain = {
    dataRoot,
    tmp: join(dataRoot, 'tmp'),
    places: new SpreadPlaces(join(dataRoot, 'tmp')),
    blobs: join(dataRoot, 'content', 'blobs', 'sha256'),
    ingest: join(dataRoot, 'content', 'ingest'),
    snapshots: join(dataRoot, 'snapshots'),
    containers: join(dataRoot, 'containers'),
  }
  const paths = { ...plain, workPlaces: new WorkPlaces(plain) }
  mkdirSync(dataRoot, { recursive: true, mode: 0o711 })
  for (const path of [paths.tmp, paths.blobs, paths.ingest, paths.snapshots, paths.containers]) {
    mkdirSync(path, { recursive: true, mode: PRIVATE })
  }
  return paths
}

export function blobPath(paths: ImagePaths, digest: string): string {
  return join(paths.blobs, digestHex(digest))
}

export function ingestPath(paths: ImagePaths, digest: string): string {
  return join(paths.ingest, digestHex(digest))
}

export function snapshotPath(paths: ImagePaths, layerId: number): string {
  return `${paths.snapshots}/${layerId}`
}

/** Everything written below the data root until now is on the disk when this resolves. */
export async function syncDataRoot({ dataRoot, workPlaces }: ImagePaths): Promise<void> {
  const { ofLayers } = workPlaces
  for (const path of ofLayers === undefined ? [dataRoot] : [dataRoot, ofLayers]) {
    const fd = openSync(path, 'r')
    try {
      await syncfs(fd)
    } finally {
      closeSync(fd)
    }
  }
}

/** A directory below `tmp` that vanishes with its owner, or at the next start of the daemon. */
export class Workspace {
  readonly path: string
  readonly #workPlaces: WorkPlaces
  /** What is elsewhere, as rename(2) and link(2) need it there. */
  readonly #outside: { readonly directory: string; readonly name: string }[] = []
  #count = 0

  constructor(paths: ImagePaths, purpose: string) {
    this.path = join(paths.places.next(), `${purpose}-${randomBytes(8).toString('hex')}`)
    mkdirSync(this.path, { mode: PRIVATE })
    this.#workPlaces = paths.workPlaces
  }

  /** A path nobody uses yet, for what may become a blob. */
  newPath(kind: string): string {
    return this.#newPath(kind, this.#workPlaces.ofBlobs)
  }

  /** For what may become a layer. */
  newDirectory(kind: string): string {
    const path = this.#newPath(kind, this.#workPlaces.ofLayers)
    mkdirSync(path, { mode: PRIVATE })
    return path
  }

  #newPath(kind: string, outside: string | undefined): string {
    this.#count += 1
    if (outside === undefined) return join(this.path, `${kind}${this.#count}`)
    const name = workName()
    this.#outside.push({ directory: outside, name })
    return join(outside, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Layers that nobody has taken; a process only for them.
    const left = readdirSync(this.path, { withFileTypes: true })
    const directories = left.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    if (directories.length > 0) await removeTrees(this.path, directories)
    await rm(this.path, { recursive: true, force: true })
    for (const { directory, name } of this.#outside) {
      const path = join(directory, name)
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
        rmSync(path, { force: true })
      else await removeTrees(directory, [name])
    }
  }
}
