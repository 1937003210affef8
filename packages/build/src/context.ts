import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { posix } from 'node:path'
import type { Engine } from '@ctr/engine'
import { EngineError, invalid } from '@ctr/errdefs'
import { type Aside, fromText } from '@ctr/images'
import { parseDockerignore } from '@ctr/options'
import { type Dockerfile, parseDockerfile } from './dockerfile/stages.ts'
import { fetchContext } from './remote-context.ts'
import { Tree } from './tree.ts'

/** The files of a build, and what is to be done with them. Dispose of it. */
export interface BuildContext extends AsyncDisposable {
  readonly tree: Tree
  readonly dockerfile: Dockerfile
}

/** Larger ones than anybody writes would only cost memory. */
const MAX_DOCKERFILE_BYTES = 16 << 20

/** Where the files come from: the request's body, or what it names. */
export type ContextSource =
  | { readonly kind: 'archive'; readonly tar: AsyncIterable<Buffer> }
  | { readonly kind: 'remote'; readonly address: string }

/** Unpacks an archive with a Dockerfile. INVALID_ARGUMENT with dockerd's texts. */
export async function openContext(
  engine: Pick<Engine, 'images'>,
  source: ContextSource,
  path: string,
  signal: AbortSignal,
): Promise<BuildContext> {
  await using stack = new AsyncDisposableStack()
  const { aside, tree } = await fetchFiles(engine, source, path, signal)
  stack.use(aside)
  const text = await readDockerfile(tree, path)
  await removeIgnored(tree, path)
  const dockerfile = parseDockerfile(text)
  const owned = stack.move()
  return { tree, dockerfile, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function fetchFiles(
  engine: Pick<Engine, 'images'>,
  source: ContextSource,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly aside: Aside; readonly tree: Tree }> {
  if (source.kind === 'remote') return await fetchContext(engine, source.address, path, signal)
  const aside = await engine.images.unpackAside(source.tar, 'build')
  return { aside, tree: new Tree([aside.directory]) }
}

async function readDockerfile(tree: Tree, path: string): Promise<string> {
  const node = tree.find(fromText(path), { follow: true })
  if (node === undefined) {
    throw new EngineError('INTERNAL', `Cannot locate specified Dockerfile: ${path}`)
  }
  if (!node.stats.isFile()) throw invalid(`the Dockerfile (${path}) is no file`)
  if (node.stats.size === 0) throw invalid(`the Dockerfile (${path}) cannot be empty`)
  return await readText(node.host, node.stats.size, path)
}

async function readText(host: string | Buffer, size: number, path: string): Promise<string> {
  if (size > MAX_DOCKERFILE_BYTES) {
    throw invalid(`${path} is larger than ${MAX_DOCKERFILE_BYTES} bytes`)
  }
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(host)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** Clients send the Dockerfile and .dockerignore in any case; what the latter names is not to be copied all the same. */
async function removeIgnored(tree: Tree, dockerfile: string): Promise<void> {
  const node = tree.find('.dockerignore', { follow: true })
  if (node === undefined || !node.stats.isFile()) return
  const ignores = readIgnores(await readText(node.host, node.stats.size, '.dockerignore'))
  for (const path of ['.dockerignore', posix.normalize(dockerfile)]) {
    if (!ignores.ignores(path)) continue
    const found = tree.find(fromText(path), { follow: false })
    if (found !== undefined) await rm(found.host, { force: true })
  }
}

function readIgnores(text: string): ReturnType<typeof parseDockerignore> {
  try {
    return parseDockerignore(text)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error))
  }
}
