import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../engine.ts'
import { PENDING_MARK } from './create.ts'
import { removeVolumeFiles } from './remove.ts'

/** A marked directory without a row is half made or half removed. Any other without a row may be a user's: it stays. */
export async function recoverVolumes(
  engine: Pick<Engine, 'volumes' | 'config' | 'background' | 'log'>,
): Promise<void> {
  const { volumes, log } = engine
  mkdirSync(volumes.root, { recursive: true, mode: 0o701 })
  for (const name of readdirSync(volumes.root)) {
    const mark = join(volumes.directory(name), PENDING_MARK)
    const isPending = existsSync(mark)
    if (volumes.find(name) !== undefined) {
      if (isPending) rmSync(mark)
      continue
    }
    if (isPending) removeVolumeFiles(engine, name)
    else log.warn({ volume: name }, 'a directory of a volume without a row: left alone')
  }
  for (const volume of volumes.all()) {
    if (existsSync(volume.mountpoint)) continue
    log.error({ volume: volume.name }, 'the directory of a volume is missing: made again, empty')
    mkdirSync(volume.mountpoint, { recursive: true, mode: 0o755 })
  }
}
