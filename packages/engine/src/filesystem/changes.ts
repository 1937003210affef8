import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { Change } from './layer-changes.ts'

export type { Change } from './layer-changes.ts'

/** What the container has changed in its image's filesystem. Volumes are not part of it. */
export async function containerChanges(
  engine: Pick<Engine, 'containers' | 'config' | 'filesystem'>,
  reference: string,
): Promise<readonly Change[]> {
  const { upperDir, layers } = engine.containers.get(reference)
  const lowerDirs = layers.map((layer) => join(engine.config.dataRoot, layer))
  await using job = engine.filesystem.threads.start({ kind: 'changes', upperDir, lowerDirs })
  const reply = await job.next()
  if (reply.type !== 'done') throw new EngineError('INTERNAL', 'no answer about changes')
  return reply.changes ?? []
}
