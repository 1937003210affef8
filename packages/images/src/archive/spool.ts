import { close, openSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { EngineError } from '@ctr/errdefs'
import { looksLikeLayer, SNIFF_BYTES } from '../content/compression.ts'
import type { Workspace } from '../paths.ts'
import { type TarEntry, toText } from '../tar/format.ts'
import { type TarHandler, TarParser } from '../tar/parser.ts'
import { cleanPath, parentOf } from '../unpack/clean-path.ts'
import { breakOff, complete, newProgress, type Progress, report } from '../unpack/growing-file.ts'
import type { UnpackedLayer } from '../unpack/job.ts'
import type { UnpackPool } from '../unpack/pool.ts'

/** A member of an image archive, spooled to a file of its own. */
export interface SpooledFile {
  readonly path: string
  readonly progress: Progress
  size: number
  /** Set for what may be a layer: it is unpacked while it arrives. */
  unpacking: Unpacking | undefined
}

export interface Unpacking {
  readonly directory: string
  readonly layer: Promise<UnpackedLayer>
  /** Some layer of the store is to become this directory. */
  isTaken: boolean
}

/** Far above any image archive; each member is a file here. */
const MAX_MEMBERS = 20_000
const MAX_LINKS = 10

const writeAsync = promisify(write)
const closeAsync = promisify(close)

type Operation = { fd: number; data: Buffer; position: number } | { fd: number; data: undefined }

/**
 * Reads an image archive (the outer tar of docker save or of an OCI layout) to its end. Layers begin to be unpacked
 * while they arrive, before anyone knows which image wants them: manifest.json usually comes last.
 */
export class ArchiveSpool implements TarHandler {
  readonly #workspace: Workspace
  readonly #pool: UnpackPool
  readonly #files = new Map<string, SpooledFile>()
  readonly #links = new Map<string, string>()
  readonly #operations: Operation[] = []
  readonly #openFiles = new Map<number, SpooledFile>()
  #count = 0
  #current: { file: SpooledFile; fd: number; head: Buffer; isDecided: boolean } | undefined

  constructor(workspace: Workspace, pool: UnpackPool) {
    this.#workspace = workspace
    this.#pool = pool
  }

  async read(source: AsyncIterable<Buffer>): Promise<void> {
    const parser = new TarParser(this)
    try {
      for await (const chunk of source) {
        parser.write(chunk)
        await this.#flush()
      }
      parser.finish()
    } catch (error) {
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

  /** Waits for all unpacking: after that the workspace may go. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#files.values()].map((file) => file.unpacking?.layer))
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
    const file: SpooledFile = { path, progress: newProgress(), size: 0, unpacking: undefined }
    this.#files.set(name, file)
    const fd = openSync(path, 'wx', 0o600)
    this.#openFiles.set(fd, file)
    this.#current = { file, fd, head: Buffer.alloc(0), isDecided: false }
  }

  data(chunk: Buffer, position: number): void {
    const current = this.#current
    if (current === undefined) return
    this.#operations.push({ fd: current.fd, data: chunk, position })
    current.file.size = position + chunk.length
    if (current.isDecided) return
    current.head = Buffer.concat([
      current.head,
      chunk.subarray(0, SNIFF_BYTES - current.head.length),
    ])
    if (current.head.length >= SNIFF_BYTES) this.#decide()
  }

  end(): void {
    const current = this.#current
    if (current === undefined) return
    if (!current.isDecided) this.#decide()
    this.#operations.push({ fd: current.fd, data: undefined })
    this.#current = undefined
  }

  #decide(): void {
    const current = this.#current
    if (current === undefined) return
    current.isDecided = true
    if (!looksLikeLayer(current.head)) return
    const directory = this.#workspace.newDirectory('s')
    const { path, progress } = current.file
    const layer = this.#pool.run({ path, progress, target: directory, whiteouts: 'overlay' })
    // Whoever needs the layer awaits it; if nobody does, its failure means nothing.
    layer.catch(() => {})
    current.file.unpacking = { directory, layer, isTaken: false }
  }

  async #flush(): Promise<void> {
    for (const operation of this.#operations) {
      const file = this.#openFiles.get(operation.fd)
      if (operation.data === undefined) {
        await closeAsync(operation.fd)
        if (file !== undefined) complete(file.progress)
        this.#openFiles.delete(operation.fd)
        continue
      }
      const end = operation.position + operation.data.length
      await writeAll(operation.fd, operation.data, operation.position)
      if (file !== undefined) report(file.progress, end)
    }
    this.#operations.length = 0
  }

  async #breakOff(): Promise<void> {
    for (const [fd, file] of this.#openFiles) {
      breakOff(file.progress)
      await closeAsync(fd)
    }
    this.#openFiles.clear()
    await this.settle()
  }
}

async function writeAll(fd: number, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await writeAsync(fd, data, done, data.length - done, position + done)
    done += bytesWritten
  }
}
