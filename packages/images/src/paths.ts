import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncfs } from '@ctr/linux'
import { digestHex } from '@ctr/oci'
import { removeTrees } from './unpack/remove-trees.ts'

/** Where images live below the data root. docs/state-on-disk.md */
export interface ImagePaths {
  readonly dataRoot: string
  readonly tmp: string
  readonly blobs: string
  /** Blobs that are being downloaded, or were when a pull broke off. */
  readonly ingest: string
  readonly snapshots: string
  readonly containers: string
}

/** Nobody but root may walk into layers: they hold set-uid programs of any origin. */
const PRIVATE = 0o700

export function makeImagePaths(dataRoot: string): ImagePaths {
  const paths = {
    dataRoot,
    tmp: join(dataRoot, 'tmp'),
    blobs: join(dataRoot, 'content', 'blobs', 'sha256'),
    ingest: join(dataRoot, 'content', 'ingest'),
    snapshots: join(dataRoot, 'snapshots'),
    containers: join(dataRoot, 'containers'),
  }
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
export async function syncDataRoot(paths: ImagePaths): Promise<void> {
  const fd = openSync(paths.dataRoot, 'r')
  try {
    await syncfs(fd)
  } finally {
    closeSync(fd)
  }
}

/** A directory below `tmp` that vanishes with its owner, or at the next start of the daemon. */
export class Workspace {
  readonly path: string
  #count = 0

  constructor(paths: ImagePaths, purpose: string) {
    this.path = join(paths.tmp, `${purpose}-${randomBytes(8).toString('hex')}`)
    mkdirSync(this.path, { mode: PRIVATE })
  }

  /** A path nobody uses yet. */
  newPath(kind: string): string {
    this.#count += 1
    return join(this.path, `${kind}${this.#count}`)
  }

  newDirectory(kind: string): string {
    const path = this.newPath(kind)
    mkdirSync(path, { mode: PRIVATE })
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Layers that nobody has taken; a process only for them.
    const left = readdirSync(this.path, { withFileTypes: true })
    const directories = left.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    if (directories.length > 0) await removeTrees(this.path, directories)
    await rm(this.path, { recursive: true, force: true })
  }
}
