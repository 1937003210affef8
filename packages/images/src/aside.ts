import { closeSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { ImageDeps } from './deps.ts'
import { receive } from './layer/stage.ts'
import { Workspace } from './paths.ts'
import { newProgress } from './unpack/growing-file.ts'

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
  const archive = workspace.newPath('f')
  closeSync(openSync(archive, 'wx', 0o600))
  const directory = workspace.newDirectory('s')
  const progress = newProgress()
  const unpacking = deps.pool.unpack({
    path: archive,
    progress,
    target: directory,
    whiteouts: 'literal',
  })
  const failed = new AbortController()
  unpacking.catch((error: unknown) => failed.abort(error))
  try {
    await receive(source, archive, progress, failed.signal)
  } catch (error) {
    await unpacking.catch(() => undefined)
    throw error
  }
  await unpacking
  await rm(archive)
  const owned = stack.move()
  return { directory, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
