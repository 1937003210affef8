import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@ctr/errdefs'
import type { Descriptor } from '@ctr/oci'
import { giverOf } from '../content/give-back.ts'
import { Room } from '../content/room.ts'
import { writeAll } from '../content/write-all.ts'
import { complete, type Progress, report } from '../unpack/growing-file.ts'
import type { RegistryClient } from './client.ts'
import { RegistryError } from './errors.ts'

interface DownloadOptions {
  readonly client: Pick<RegistryClient, 'blob'>
  /** Exists; may hold what an earlier attempt has fetched. */
  readonly path: string
  readonly descriptor: Descriptor
  readonly progress: Progress
  readonly onBytes: (bytes: number) => void
  readonly maxAttempts: number
  readonly signal: AbortSignal | undefined
}

const FIRST_DELAY_MS = 500
const BATCH_BYTES = 1 << 20
/** On a slow line what has come is shown, and unpacked, sooner. */
const BATCH_MS = 100

/**
 * Fetches a blob into a file and checks it. What has arrived stays when the connection breaks, the daemon is killed or the
 * pull is cancelled: the next attempt asks for the rest. Readers follow through `progress`. A wrong blob is emptied.
 */
export async function downloadBlob(options: DownloadOptions): Promise<void> {
  const { descriptor, path, progress } = options
  await using file = await open(path, 'r+')
  const state = await readPartial(file, path, descriptor.size)
  report(progress, state.offset)
  for (let attempt = 1; state.offset < descriptor.size; attempt++) {
    const before = state.offset
    try {
      await fetchRest(file, state, options)
    } catch (error) {
      if (options.signal?.aborted === true || isFinal(error)) throw error
      // Any new byte makes the next failure a first one.
      if (state.offset > before) attempt = 1
      if (attempt >= options.maxAttempts) throw error
      await sleep(FIRST_DELAY_MS * 2 ** (attempt - 1), undefined, { signal: options.signal })
    }
  }
  if (`sha256:${state.hash.digest('hex')}` !== descriptor.digest) {
    await file.truncate(0)
    throw new EngineError(
      'UPSTREAM',
      `filesystem layer verification failed for digest ${descriptor.digest}`,
    )
  }
  complete(progress)
}

interface State {
  hash: Hash
  offset: number
}

/** What is there already counts only as far as it can belong to this blob. */
async function readPartial(file: FileHandle, path: string, size: number): Promise<State> {
  const hash = createHash('sha256')
  const { size: length } = await file.stat()
  if (length > size) {
    await file.truncate(0)
    return { hash, offset: 0 }
  }
  for await (const chunk of createReadStream(path, { end: Math.max(0, length - 1) })) {
    if (length > 0) hash.update(chunk as Buffer)
  }
  return { hash, offset: length }
}

async function fetchRest(file: FileHandle, state: State, options: DownloadOptions): Promise<void> {
  const { client, descriptor, signal } = options
  const response = await client.blob(descriptor.digest, state.offset)
  const batch = new Batch(file, state, options, giverOf(response as AsyncIterable<Buffer>))
  try {
    // No ranges here: skip what we have.
    let skip = response.statusCode === 206 ? 0 : state.offset
    for await (const chunk of response as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      const data = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - data.length
      if (data.length === 0) continue
      if (state.offset + batch.bytes + data.length > descriptor.size) {
        throw new EngineError(
          'UPSTREAM',
          `blob ${descriptor.digest} is larger than its manifest says`,
        )
      }
      await batch.add(data)
    }
  } finally {
    response.destroy()
    // The next attempt asks for what is not there.
    await batch.flush()
  }
  if (state.offset < descriptor.size) throw new Error('unexpected EOF')
}

/** Chunks on their way to the file: a write for each of 64 KB takes longer than the write itself. */
class Batch {
  readonly #file: FileHandle
  readonly #state: State
  readonly #options: DownloadOptions
  readonly #giveBack: (chunk: Buffer) => void
  readonly #room: Room
  #chunks: Buffer[] = []
  #bytes = 0
  #beganAtMs = 0

  constructor(
    file: FileHandle,
    state: State,
    options: DownloadOptions,
    giveBack: (chunk: Buffer) => void,
  ) {
    this.#file = file
    this.#state = state
    this.#options = options
    this.#giveBack = giveBack
    this.#room = new Room(file.fd)
  }

  get bytes(): number {
    return this.#bytes
  }

  async add(chunk: Buffer): Promise<void> {
    const nowMs = performance.now()
    if (this.#bytes === 0) this.#beganAtMs = nowMs
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= BATCH_BYTES || nowMs - this.#beganAtMs > BATCH_MS) await this.flush()
  }

  /** What is in the file, and only that, is in the digest. */
  async flush(): Promise<void> {
    const chunks = this.#chunks
    if (chunks.length === 0) return
    this.#chunks = []
    this.#bytes = 0
    await this.#room.take(chunks)
    const state = this.#state
    const end = await writeAll(this.#file.fd, chunks, state.offset)
    for (const chunk of chunks) {
      state.hash.update(chunk)
      this.#giveBack(chunk)
    }
    state.offset = end
    report(this.#options.progress, end)
    this.#options.onBytes(end)
  }
}

/** No use to try again. */
function isFinal(error: unknown): boolean {
  if (error instanceof RegistryError)
    return error.status >= 400 && error.status < 500 && error.status !== 429
  return error instanceof EngineError && error.code !== 'UPSTREAM'
}

/** One owner per blob: a second pull of it waits for the first, and then finds it stored. */
export class BlobLocks {
  readonly #tails = new Map<string, Promise<void>>()

  async run<T>(digest: string, body: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(digest) ?? Promise.resolve()
    const running = before.then(body)
    const tail = running.then(
      () => {},
      () => {},
    )
    this.#tails.set(digest, tail)
    try {
      return await running
    } finally {
      if (this.#tails.get(digest) === tail) this.#tails.delete(digest)
    }
  }
}
