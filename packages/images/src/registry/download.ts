import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@ctr/errdefs'
import type { Descriptor } from '@ctr/oci'
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
      'UNAVAILABLE',
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
  const { client, descriptor, progress, onBytes, signal } = options
  const response = await client.blob(descriptor.digest, state.offset)
  try {
    // No ranges here: skip what we have.
    let skip = response.statusCode === 206 ? 0 : state.offset
    for await (const chunk of response as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      const data = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - data.length
      if (data.length === 0) continue
      if (state.offset + data.length > descriptor.size) {
        throw new EngineError(
          'UNAVAILABLE',
          `blob ${descriptor.digest} is larger than its manifest says`,
        )
      }
      await writeAll(file, data, state.offset)
      state.hash.update(data)
      state.offset += data.length
      report(progress, state.offset)
      onBytes(state.offset)
    }
  } finally {
    response.destroy()
  }
  if (state.offset < descriptor.size) throw new Error('unexpected EOF')
}

/** No use to try again. */
function isFinal(error: unknown): boolean {
  if (error instanceof RegistryError)
    return error.status >= 400 && error.status < 500 && error.status !== 429
  return error instanceof EngineError && error.code !== 'UNAVAILABLE'
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done)
    done += bytesWritten
  }
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
