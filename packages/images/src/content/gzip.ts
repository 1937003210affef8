import { type FileHandle, open } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw } from 'node:zlib'

const deflate = promisify(deflateRaw)

/** RFC 1952: no name, no time, so that the same data gives the same bytes; made on Unix. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
/** An empty last block with fixed codes. RFC 1951 */
const LAST_BLOCK = Buffer.from([3, 0])
const PIECE_BYTES = 1 << 20
/** What deflate looks back to. */
const WINDOW_BYTES = 32 << 10
/** A piece that cannot be made smaller grows by 5 bytes for every 16 KiB. */
const OUTPUT_BYTES = PIECE_BYTES + (PIECE_BYTES >> 8)

/** Node has four threads for these and for all its file access: one stays free. */
const MAX_THREADS = 3
const threads = {
  free: Math.min(availableParallelism(), MAX_THREADS),
  waiting: [] as (() => void)[],
}

/**
 * A file compressed by gzip, in pieces on several threads; each goes on with the window of the one before, so that it is one member and
 * hardly larger than by one thread. The same file gives the same bytes.
 */
export async function* gzipFile(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const pending: Promise<Buffer>[] = []
  let window = Buffer.alloc(0)
  let crc = 0
  let bytes = 0
  yield HEADER
  for (;;) {
    const piece = await readPiece(file, bytes)
    if (piece.length === 0) break
    const compressed = compress(piece, window)
    // Awaited in its turn; until then its failure must not count as unhandled.
    compressed.catch(() => {})
    pending.push(compressed)
    crc = crc32(piece, crc)
    bytes += piece.length
    window = Buffer.from(piece.subarray(-WINDOW_BYTES))
    const first = pending.length > MAX_THREADS ? pending.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const compressed of pending) yield await compressed
  const end = Buffer.alloc(8)
  end.writeUInt32LE(crc, 0)
  end.writeUInt32LE(bytes % 2 ** 32, 4)
  yield Buffer.concat([LAST_BLOCK, end])
}

/** Whole blocks, the last one not marked as such, up to a byte's end. */
async function compress(piece: Buffer, dictionary: Buffer): Promise<Buffer> {
  if (threads.free > 0) threads.free -= 1
  else await new Promise<void>((resolve) => threads.waiting.push(resolve))
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: OUTPUT_BYTES }
    return await deflate(piece, dictionary.length === 0 ? options : { ...options, dictionary })
  } finally {
    const next = threads.waiting.shift()
    if (next === undefined) threads.free += 1
    else next()
  }
}

/** PIECE_BYTES at `position`, fewer at the end of the file. */
async function readPiece(file: FileHandle, position: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  let length = 0
  while (length < PIECE_BYTES) {
    const { bytesRead } = await file.read(piece, length, PIECE_BYTES - length, position + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return piece.subarray(0, length)
}
