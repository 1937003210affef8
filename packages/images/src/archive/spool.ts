import { createHash, type Hash } from 'node:crypto'
import { openSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import type { ImageTable } from '@ctr/store'
import { BlobWriter } from '../content/blob-writer.ts'
import { decompressSniffed, looksLikeLayer, SNIFF_BYTES } from '../content/compression.ts'
import { giverOf } from '../content/give-back.ts'
import type { Workspace } from '../paths.ts'
import { type TarEntry, toText } from '../tar/format.ts'
import { type TarHandler, TarParser } from '../tar/parser.ts'
import { cleanPath, parentOf } from '../unpack/clean-path.ts'
import { breakOff, newProgress, type Progress } from '../unpack/growing-file.ts'
import type { UnpackedTar } from '../unpack/job.ts'
import type { WorkerPool } from '../worker/pool.ts'

/** A member of an image archive, spooled to a file of its own. */
export interface SpooledFile {
  readonly path: string
  readonly progress: Progress
  size: number
  /** Known when the member has been read to its end. */
  digest: string
  /** Set for what may be a layer: it is unpacked while it arrives. */
  unpacking: Unpacking | undefined
}

export interface SpoolDeps {
  readonly pool: WorkerPool
  readonly table: Pick<ImageTable, 'hasBlobOfSize'>
}

export interface Unpacking {
  /** Undefined when only the digests are computed. */
  readonly directory: string | undefined
  readonly tar: Promise<UnpackedTar>
  /** Some layer of the store is to become this directory. */
  isTaken: boolean
}

/** Far above any image archive; each member is a file here. */
const MAX_MEMBERS = 20_000
const MAX_LINKS = 10

/** Bytes that are collected before they are written, and that may wait while others are being written. */
const BATCH_BYTES = 1 << 20

interface Batch {
  readonly writer: BlobWriter
  readonly chunks: Buffer[]
  isLast: boolean
}

interface Current {
  readonly file: SpooledFile
  readonly writer: BlobWriter
  readonly entrySize: number
  readonly hash: Hash
  head: Buffer
  isDecided: boolean
}

/**
 * Reads an image archive (the outer tar of docker save or of an OCI layout) to its end. Layers begin to be unpacked
 * while they arrive, before anyone knows which image wants them: manifest.json usually comes last.
 */
export class ArchiveSpool implements TarHandler {
  readonly #workspace: Workspace
  readonly #deps: SpoolDeps
  readonly #files = new Map<string, SpooledFile>()
  readonly #links = new Map<string, string>()
  readonly #openFiles = new Map<BlobWriter, SpooledFile>()
  #batches: Batch[] = []
  /** What the batches are slices of. */
  #received: Buffer[] = []
  #giveBack: (chunk: Buffer) => void = () => {}
  #receivedBytes = 0
  #count = 0
  #current: Current | undefined

  constructor(workspace: Workspace, deps: SpoolDeps) {
    this.#workspace = workspace
    this.#deps = deps
  }

  /** Reads `source`, compressed or not, to its end. */
  async read(source: AsyncIterable<Buffer>): Promise<void> {
    this.#giveBack = giverOf(source)
    const chunks = decompressSniffed(source)
    const parser = new TarParser(this)
    let writing: Promise<void> = Promise.resolve()
    try {
      for await (const chunk of chunks) {
        parser.write(chunk)
        this.#received.push(chunk)
        // All of them: what belongs to no file, or follows the end, is kept with them.
        this.#receivedBytes += chunk.length
        if (this.#receivedBytes < BATCH_BYTES) continue
        await writing
        writing = this.#flush()
        // Awaited with the next batch, or below; until then its failure must not count as unhandled.
        writing.catch(() => {})
      }
      parser.finish()
      await writing
      await this.#flush()
    } catch (error) {
      await writing.catch(() => {})
      await this.#breakOff()
      throw error
    }
  }

  /** The file of that name, through the symlinks that docker save puts for a layer which comes twice. */
  file(name: string): SpooledFile | undefined {
    let path = cleanPath(name)
    for (let count = 0; count < MAX_LINKS; count++) {
      const target = this.#links.get(path)
      if (target === undefined) return this.#files.get(path)
      path = target
    }
    return undefined
  }

  /** Files that may become blobs. */
  get layerPaths(): string[] {
    return [...this.#files.values()]
      .filter((file) => file.unpacking?.directory !== undefined)
      .map((file) => file.path)
  }

  /** Waits for all unpacking: after that the workspace may go. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#files.values()].flatMap((file) => file.unpacking?.tar ?? []))
  }

  entry(entry: TarEntry): void {
    this.#count += 1
    if (this.#count > MAX_MEMBERS) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `the archive holds more than ${MAX_MEMBERS} members`,
      )
    }
    const name = toText(cleanPath(entry.path))
    this.#links.delete(name)
    this.#files.delete(name)
    if (entry.type === 'symlink' || entry.type === 'hardlink') {
      const base =
        entry.type === 'symlink' && !entry.linkTarget.startsWith('/') ? parentOf(name) : ''
      this.#links.set(name, toText(cleanPath(`${base}/${entry.linkTarget}`)))
    }
    if (entry.type !== 'file') return
    const path = this.#workspace.newPath('f')
    const file: SpooledFile = {
      path,
      progress: newProgress(),
      size: 0,
      digest: '',
      unpacking: undefined,
    }
    this.#files.set(name, file)
    const writer = new BlobWriter(openSync(path, 'wx', 0o600), file.progress)
    this.#openFiles.set(writer, file)
    this.#current = {
      file,
      writer,
      entrySize: entry.size,
      hash: createHash('sha256'),
      head: Buffer.alloc(0),
      isDecided: false,
    }
  }

  data(chunk: Buffer, position: number): void {
    const current = this.#current
    if (current === undefined) return
    if (position !== current.file.size)
      throw new EngineError('INVALID_ARGUMENT', 'a member of the archive is a sparse file')
    current.hash.update(chunk)
    current.file.size += chunk.length
    this.#batch(current).chunks.push(chunk)
    if (current.isDecided) return
    const rest = chunk.subarray(0, SNIFF_BYTES - current.head.length)
    current.head = Buffer.concat([current.head, rest])
    if (current.head.length >= SNIFF_BYTES) this.#decide()
  }

  end(): void {
    const current = this.#current
    if (current === undefined) return
    if (!current.isDecided) this.#decide()
    current.file.digest = `sha256:${current.hash.digest('hex')}`
    this.#batch(current).isLast = true
    this.#current = undefined
  }

  #decide(): void {
    const current = this.#current
    if (current === undefined) return
    current.isDecided = true
    if (!looksLikeLayer(current.head)) return
    // A blob of this very size is most likely this one: first see its digest.
    const isKnown = this.#deps.table.hasBlobOfSize(current.entrySize)
    const directory = isKnown ? undefined : this.#workspace.newDirectory('s')
    const { path, progress } = current.file
    const tar = this.#deps.pool.unpack({ path, progress, target: directory, whiteouts: 'overlay' })
    // Whoever needs the layer awaits it; if nobody does, its failure means nothing.
    tar.catch(() => {})
    current.file.unpacking = { directory, tar, isTaken: false }
  }

  /** The batch of the file that is being received, a new one where the last belongs to another file. */
  #batch({ writer }: Current): Batch {
    const last = this.#batches.at(-1)
    if (last?.writer === writer) return last
    const batch = { writer, chunks: [], isLast: false }
    this.#batches.push(batch)
    return batch
  }

  async #flush(): Promise<void> {
    const batches = this.#batches
    const received = this.#received
    this.#batches = []
    this.#received = []
    this.#receivedBytes = 0
    for (const { writer, chunks, isLast } of batches) {
      await writer.write(chunks)
      if (!isLast) continue
      this.#openFiles.delete(writer)
      await writer.complete()
    }
    for (const chunk of received) this.#giveBack(chunk)
  }

  async #breakOff(): Promise<void> {
    for (const [writer, file] of this.#openFiles) {
      breakOff(file.progress)
      await writer.close()
    }
    this.#openFiles.clear()
    await this.settle()
  }
}
