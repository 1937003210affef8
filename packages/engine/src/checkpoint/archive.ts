import { closeSync, createReadStream, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import { encodeHeader, paddingOf, TAR_END, TarParser } from '@ctr/images'
import { MAX_FOREIGN_JSON_BYTES } from '@ctr/oci'

/** Members of an exported container: the document, its writable layer as image layers are, and criu's images. */
export const DOCUMENT = 'container.json'
export const LAYER = 'rootfs-diff.tar'
const IMAGES = 'checkpoint/'

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/
const CHUNK_BYTES = 256 * 1024
/** criu writes some six files for each process. */
const MAX_MEMBERS = 100_000

/** A tar of the files in `scratch` (document, layer) and of the checkpoint in `images`. */
export function packCheckpoint(scratch: string, images: string): Readable {
  return Readable.from(members(scratch, images))
}

async function* members(scratch: string, images: string): AsyncGenerator<Buffer> {
  yield* member(DOCUMENT, join(scratch, DOCUMENT))
  yield* member(LAYER, join(scratch, LAYER))
  for (const { name } of readdirSync(images, { withFileTypes: true }).filter((one) => one.isFile()))
    yield* member(`${IMAGES}${name}`, join(images, name))
  yield TAR_END
}

async function* member(name: string, path: string): AsyncGenerator<Buffer> {
  const { size, mtimeMs } = statSync(path)
  const mtimeSeconds = Math.trunc(mtimeMs / 1000)
  yield encodeHeader({ path: name, type: 'file', mode: 0o600, size, mtimeSeconds })
  if (size === 0) return
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, end: size - 1 }))
    yield chunk as Buffer
  yield Buffer.alloc(paddingOf(size))
}

/** Writes the members into two directories that exist. INVALID_ARGUMENT for an archive of another kind. */
export async function unpackCheckpoint(
  source: AsyncIterable<Uint8Array>,
  scratch: string,
  images: string,
): Promise<void> {
  const seen = new Set<string>()
  let count = 0
  let fd: number | undefined
  const parser = new TarParser({
    entry: (entry) => {
      if (++count > MAX_MEMBERS) throw invalid(`it has more than ${MAX_MEMBERS} members`)
      const path = placeOf(entry.path, scratch, images)
      if (entry.type === 'directory') return
      if (entry.type !== 'file' || path === undefined || seen.has(path)) {
        throw invalid(`unexpected member ${JSON.stringify(entry.path)}`)
      }
      // Documents are read as a whole.
      if (path.endsWith('.json') && entry.size > MAX_FOREIGN_JSON_BYTES) {
        throw invalid(`${entry.path} is larger than ${MAX_FOREIGN_JSON_BYTES} bytes`)
      }
      seen.add(path)
      fd = openSync(path, 'wx', 0o600)
    },
    data: (chunk, position) => {
      for (let done = 0; fd !== undefined && done < chunk.length; ) {
        done += writeSync(fd, chunk, done, chunk.length - done, position + done)
      }
    },
    end: () => {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  })
  try {
    for await (const chunk of source) parser.write(Buffer.from(chunk))
    parser.finish()
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw invalid(error instanceof Error ? error.message : String(error), error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  const missing = [DOCUMENT, LAYER].find((name) => !seen.has(join(scratch, name)))
  if (missing !== undefined) throw invalid(`it has no ${missing}`)
}

function placeOf(path: string, scratch: string, images: string): string | undefined {
  if (path === DOCUMENT || path === LAYER) return join(scratch, path)
  const name = path.startsWith(IMAGES) ? path.slice(IMAGES.length) : ''
  return FILE_NAME.test(name) ? join(images, name) : undefined
}

export function invalid(reason: string, cause?: unknown): EngineError {
  return new EngineError('INVALID_ARGUMENT', `not an exported container of ctr: ${reason}`, {
    cause,
  })
}
