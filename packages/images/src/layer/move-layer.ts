import { closeSync, openSync, statSync } from 'node:fs'
import type { ImageDeps } from '../deps.ts'
import { packDirectory } from '../pack/pack-directory.ts'
import { completeProgress, newProgress } from '../unpack/growing-file.ts'

/** Archives a container's writable layer into a new file, in the format of image layers. Nothing may write to it meanwhile. */
export async function packContainerLayer(upperDir: string, output: string): Promise<void> {
  closeSync(openSync(output, 'wx', 0o600))
  await packDirectory({ root: upperDir, sameRootAs: undefined, output, progress: newProgress() })
}

/** The other way round, into the empty layer of a container that has not run. */
export async function unpackContainerLayer(
  deps: Pick<ImageDeps, 'pool'>,
  archive: string,
  upperDir: string,
): Promise<void> {
  await deps.pool.unpack({
    path: archive,
    progress: completeProgress(statSync(archive).size),
    target: upperDir,
    whiteouts: 'overlay',
  })
}
