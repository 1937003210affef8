import { createReadStream } from 'node:fs'
import {
  cleanPath,
  decompressSniffed,
  encodeHeader,
  paddingOf,
  type TarEntry,
  TarError,
  TarParser,
} from '@ctr/images'

const READ_BYTES = 256 << 10
const ZEROS = Buffer.alloc(64 << 10)

/** The members of an archive, compressed or not, moved below a directory (latin1). Undefined: the file is none. */
export async function repackedArchive(
  host: string | Buffer,
  directory: string,
): Promise<AsyncGenerator<Buffer> | undefined> {
  return (await isArchive(host)) ? repack(host, directory) : undefined
}

/** It begins with a member. */
async function isArchive(host: string | Buffer): Promise<boolean> {
  let hasMember = false
  const parser = new TarParser({
    entry: () => {
      hasMember = true
    },
    data: () => undefined,
    end: () => undefined,
  })
  const source = createReadStream(host, { highWaterMark: READ_BYTES })
  try {
    for await (const chunk of decompressSniffed(source as AsyncIterable<Buffer>)) {
      parser.write(chunk)
      if (hasMember) break
    }
  } catch {
    // Neither compressed nor a tar.
  } finally {
    source.destroy()
  }
  return hasMember
}

/** Bytes, or a hole of a sparse file: how many zeros. */
type Piece = Buffer | number

async function* repack(host: string | Buffer, directory: string): AsyncGenerator<Buffer> {
  const pieces: Piece[] = []
  let entry: TarEntry | undefined
  let written = 0
  const place = (path: string): string => {
    const cleaned = cleanPath(path)
    if (cleaned === '') return directory
    return directory === '' ? cleaned : `${directory}/${cleaned}`
  }
  const parser = new TarParser({
    entry(next) {
      // The directory itself is there already.
      if (cleanPath(next.path) === '') return
      const linkTarget = next.type === 'hardlink' ? place(next.linkTarget) : next.linkTarget
      pieces.push(encodeHeader({ ...next, path: place(next.path), linkTarget }))
      entry = next
      written = 0
    },
    data(chunk, position) {
      if (position > written) pieces.push(position - written)
      pieces.push(Buffer.from(chunk))
      written = position + chunk.length
    },
    end() {
      const size = entry?.size ?? 0
      pieces.push(size - written + paddingOf(size))
    },
  })
  const source = createReadStream(host, { highWaterMark: READ_BYTES })
  try {
    for await (const chunk of decompressSniffed(source as AsyncIterable<Buffer>)) {
      parser.write(chunk)
      yield* drain(pieces)
    }
    parser.finish()
    yield* drain(pieces)
  } catch (error) {
    if (error instanceof TarError)
      throw new TarError(`archive cannot be unpacked: ${error.message}`)
    throw error
  } finally {
    source.destroy()
  }
}

function* drain(pieces: Piece[]): Generator<Buffer> {
  for (const piece of pieces.splice(0)) {
    if (typeof piece !== 'number') yield piece
    else {
      for (let rest = piece; rest > 0; rest -= ZEROS.length) {
        yield ZEROS.subarray(0, Math.min(rest, ZEROS.length))
      }
    }
  }
}
