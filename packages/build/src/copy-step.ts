import type { Engine } from '@ctr/engine'
import { EngineError, invalid, messageOf } from '@ctr/errdefs'
import { fromText } from '@ctr/images'
import { workingDirectory } from './configure.ts'
import { copyArchive, findDestination } from './copy-archive.ts'
import { type CopySource, combinedHash, findSources } from './copy-sources.ts'
import type { Copy } from './dockerfile/instruction.ts'
import { storeDocument } from './document-source.ts'
import { type Owner, parseOwner } from './owner.ts'
import { fetchSource, isUrl } from './remote-source.ts'
import { Tree } from './tree.ts'

/** A COPY or ADD, ready to be done. */
export interface PreparedCopy extends AsyncDisposable {
  /** As the history has it. */
  readonly comment: string
  /** The layer, made while it is read. */
  archive(): AsyncIterable<Buffer>
}

export interface CopyContext {
  readonly engine: Pick<Engine, 'images'>
  /** What is copied from, unless a URL says otherwise. */
  readonly from: Tree
  /** The image that is copied to; undefined: `scratch`. */
  readonly imageId: string | undefined
  readonly workingDir: string | undefined
  readonly signal: AbortSignal
}

const MAX_USER_FILE_BYTES = 8 << 20

/** Finds what is to be copied, and what it is called in the history. */
export async function prepareCopy(copy: Copy, context: CopyContext): Promise<PreparedCopy> {
  const { engine, imageId, signal } = context
  await using stack = new AsyncDisposableStack()
  const isKept = copy.from !== '' && copy.chown === ''
  const where =
    copy.from === '' ? 'file not found in build context or excluded by .dockerignore: ' : ''
  const sources: (CopySource & { readonly isFetched: boolean })[] = []
  try {
    for (const path of copy.sources) {
      if (copy.name === 'ADD' && isUrl(path)) {
        const fetched = stack.use(await fetchSource(engine, path, copy.destination, signal))
        sources.push({ ...fetched.source, isFetched: true })
        continue
      }
      if (isUrl(path)) throw invalid(`source can't be a URL for ${copy.name}`)
      const found = await findSources(context.from, path, { hasOwners: isKept, where, signal })
      sources.push(...found.map((source) => ({ ...source, isFetched: false })))
    }
    for (const document of copy.documents) {
      const { source, aside } = await storeDocument(engine, document, 0o644)
      stack.use(aside)
      sources.push({ ...source, isFetched: true })
    }
    if (sources.length === 0) throw invalid('no source files were specified')
  } catch (error) {
    if (signal.aborted) throw error
    throw new EngineError('INVALID_ARGUMENT', `${copy.name} failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (sources.length > 1 && !copy.destination.endsWith('/')) {
    throw invalid(
      `When using ${copy.name} with more than one source file, the destination must be a directory and end with a /`,
    )
  }
  const chown = copy.chown === '' ? '' : `--chown=${copy.chown}`
  const chmod = copy.chmod === '' ? '' : `--chmod=${copy.chmod}`
  const mode = modeOf(copy.chmod)
  const comment = `${copy.name} ${chown}${chmod}${combinedHash(sources)} in ${copy.destination} `
  const image = imageId === undefined ? undefined : engine.images.get(imageId)
  const layers = image?.layerDirectories ?? []
  const owner = (): Owner | undefined => (isKept ? undefined : ownerOf(engine, copy.chown, layers))
  const owned = stack.move()
  return {
    comment,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
    archive: () => {
      const path = workingDirectory({ WorkingDir: context.workingDir }, copy.destination)
      const isAll = sources.every(({ node }) => node.stats.isDirectory())
      const isDirectory = /(?:^|\/)\.{0,2}$/.test(copy.destination) || isAll
      const options = { owner: owner(), mode, unpacks: copy.name === 'ADD', signal }
      const destination = located(() =>
        findDestination(new Tree(layers), fromText(path).slice(1), { isDirectory }),
      )
      return copyArchive(sources, destination, options)
    },
  }
}

function located<T>(find: () => T): T {
  try {
    return find()
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `failed to copy files: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function modeOf(text: string): number | undefined {
  if (text === '') return undefined
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8)
  throw invalid(
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
  )
}

function ownerOf(engine: Pick<Engine, 'images'>, chown: string, layers: readonly string[]): Owner {
  if (chown === '') return { uid: 0, gid: 0 }
  const read = (path: string): string =>
    engine.images.readRootFile(layers, path, MAX_USER_FILE_BYTES)?.toString() ?? ''
  return parseOwner(chown, { passwd: read('/etc/passwd'), group: read('/etc/group') })
}
