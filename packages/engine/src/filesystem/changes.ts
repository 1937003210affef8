import { resolve } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { writtenDirectory } from '../container/root-directory.ts'
import type { Engine } from '../engine.ts'
import type { Change } from './layer-changes.ts'

export type { Change } from './layer-changes.ts'

/** What the container has changed in its image's filesystem. Volumes are not part of it. */
export async function containerChanges(
  engine: Pick<Engine, 'containers' | 'config' | 'filesystem'>,
  reference: string,
): Promise<readonly Change[]> {
  const { upperDir, layers, hostConfig } = engine.containers.get(reference)
  // Its changes are not told from what was there.
  if (writtenDirectory(hostConfig) !== undefined) return []
  const lowerDirs = layers.map((layer) => resolve(engine.config.dataRoot, layer))
  await using job = engine.filesystem.threads.start({ kind: 'changes', upperDir, lowerDirs })
  const reply = await job.next()
  if (reply.type !== 'done') throw new EngineError('INTERNAL', 'no answer about changes')
  return reply.changes ?? []
}
