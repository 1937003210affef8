import { rm } from 'node:fs/promises'
import type { ImageDeps } from './deps.ts'
import { unpackArriving } from './layer/stage.ts'
import { Workspace } from './paths.ts'

/** A tree that belongs to no image. Dispose of it; what a crash leaves is removed at the next start. */
export interface Aside extends AsyncDisposable {
  readonly directory: string
}

/** Unpacks an archive, also a compressed one, while it arrives. Its files are files, whatever they are called. */
export async function unpackAside(
  deps: Pick<ImageDeps, 'paths' | 'pool'>,
  source: AsyncIterable<Buffer>,
  purpose: string,
): Promise<Aside> {
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(new Workspace(deps.paths, purpose))
  const { blob, directory, unpacking } = await unpackArriving(deps, workspace, source, 'literal')
  await unpacking
  await rm(blob)
  const owned = stack.move()
  return { directory, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
