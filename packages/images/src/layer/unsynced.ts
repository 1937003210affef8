import { readFileSync, renameSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isErrno } from '@ctr/errdefs'
import { type LayerRow, volatileTransaction } from '@ctr/store'
import type { ImageDeps } from '../deps.ts'
import { blobPath, snapshotPath, syncDataRoot, Workspace } from '../paths.ts'
import { completeProgress } from '../unpack/growing-file.ts'
import { copyAttributes } from './implied.ts'

type Deps = Pick<ImageDeps, 'store' | 'table' | 'paths' | 'pool' | 'graveyard' | 'log'>

/** Of this run of the machine. proc_sys_kernel(5) */
function currentBoot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/**
 * Who adds a layer waits for its blob to be on the disk, not for its thousands of files: those follow in the background, and
 * a row remembers the layer until then. After a power cut it is unpacked again from the blob (docs/decisions/0024).
 */
export class UnsyncedLayers {
  readonly #deps: Deps
  readonly #boot: string
  #running: Promise<void> | undefined
  #isWanted = false

  constructor(deps: Deps, boot = currentBoot()) {
    this.#deps = deps
    this.#boot = boot
  }

  /** Inside the transaction that adds the layer, whose blob is on the disk. Call `sync` after it. */
  add(layerId: number): void {
    this.#deps.table.putUnsynced(layerId, this.#boot)
  }

  /** Begins to write all layers to the disk. `settle` waits for it. */
  sync(): void {
    this.#isWanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async settle(): Promise<void> {
    await this.#running
  }

  /** Unpacks again what a power cut may have taken. Call before anything uses a layer. */
  async restore(): Promise<void> {
    const { table } = this.#deps
    const boots = new Map(table.unsyncedLayers().map(({ layer, boot }) => [layer, boot]))
    if (boots.size === 0) return
    // A layer's parent is older: parents first.
    const layers = table.layers().sort((a, b) => a.id - b.id)
    for (const layer of layers) {
      const boot = boots.get(layer.id)
      if (boot !== undefined && boot !== this.#boot) await this.#unpack(layer)
    }
    this.sync()
  }

  async #run(): Promise<void> {
    const { store, table, paths, log } = this.#deps
    while (this.#isWanted) {
      this.#isWanted = false
      const layers = table.unsyncedLayers().filter(({ boot }) => boot === this.#boot)
      try {
        await syncDataRoot(paths)
        volatileTransaction(store, () => {
          for (const { layer } of layers) table.removeUnsynced(layer)
        })
      } catch (error) {
        log.error({ error }, 'layers could not be written to the disk: the next boot unpacks them')
      }
    }
  }

  async #unpack(layer: LayerRow): Promise<void> {
    const { table, paths, pool, graveyard, log } = this.#deps
    log.info({ layer: layer.id, blob: layer.blob }, 'unpack a layer again after a power cut')
    try {
      await using workspace = new Workspace(paths, 'restore')
      const directory = workspace.newDirectory('s')
      const path = blobPath(paths, layer.blob)
      const progress = completeProgress(table.blob(layer.blob)?.size ?? 0)
      const { impliedDirectories } = await pool.unpack({
        path,
        progress,
        target: directory,
        whiteouts: 'overlay',
      })
      const below = table.layerStack(layer.parentId).map(({ id }) => snapshotPath(paths, id))
      if (below.length > 0) copyAttributes(below, directory, impliedDirectories)
      graveyard.bury(snapshotPath(paths, layer.id))
      renameSync(directory, snapshotPath(paths, layer.id))
      this.add(layer.id)
    } catch (error) {
      log.error({ error, layer: layer.id }, 'a layer could not be unpacked again')
    }
  }
}

/** The data of `paths` is on the disk when this resolves; a path that is no longer there is nobody's any more. */
export async function syncFiles(paths: Iterable<string>): Promise<void> {
  await Promise.all(
    [...paths].map(async (path) => {
      try {
        await using file = await open(path, 'r')
        await file.datasync()
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error
      }
    }),
  )
}
