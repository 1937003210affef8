import { createHash, type Hash } from 'node:crypto'
import {
  type Compression,
  decompress,
  SNIFF_BYTES,
  sniffCompression,
} from '../content/compression.ts'
import { fromText } from '../tar/format.ts'
import { TarParser } from '../tar/parser.ts'
import { type Progress, readGrowing } from './growing-file.ts'
import { Unpacker, type UnpackOptions } from './unpacker.ts'

/** One blob to read to its end, and to unpack on the way. Sent to a worker. */
export interface UnpackJob {
  path: string
  progress: Progress
  /** An empty directory; undefined to compute digests only. */
  target: string | undefined
  whiteouts: UnpackOptions['whiteouts']
}

export interface UnpackedLayer {
  /** Of the blob as it is, and its length. */
  blobDigest: string
  blobSize: number
  compression: Compression
  /** Of the uncompressed tar. */
  diffId: string
  size: number
  impliedDirectories: string[]
}

/** Everything is read once: the digests are computed and the tar is unpacked while bytes arrive. */
export async function runUnpackJob(job: UnpackJob): Promise<UnpackedLayer> {
  const blobHash = createHash('sha256')
  const compression = await sniff(job)
  const source = counted(
    readGrowing(job.path, job.progress, { reuse: compression === 'none' }),
    blobHash,
  )
  const tarHash = compression === 'none' ? blobHash : createHash('sha256')
  const unpacker = job.target === undefined ? undefined : new Unpacker(fromText(job.target), job)
  const parser = unpacker === undefined ? undefined : new TarParser(unpacker)
  try {
    for await (const chunk of decompress(source.chunks, compression)) {
      if (tarHash !== blobHash) tarHash.update(chunk)
      parser?.write(chunk)
    }
    parser?.finish()
    const result = unpacker?.finish()
    const blobDigest = `sha256:${blobHash.digest('hex')}`
    return {
      blobDigest,
      blobSize: source.bytes(),
      compression,
      diffId: tarHash === blobHash ? blobDigest : `sha256:${tarHash.digest('hex')}`,
      size: result?.size ?? 0,
      impliedDirectories: result?.impliedDirectories ?? [],
    }
  } finally {
    unpacker?.abort()
  }
}

async function sniff(job: UnpackJob): Promise<Compression> {
  let head = Buffer.alloc(0)
  for await (const chunk of readGrowing(job.path, job.progress, { reuse: false })) {
    head = Buffer.concat([head, chunk])
    if (head.length >= SNIFF_BYTES) break
  }
  return sniffCompression(head)
}

function counted(
  source: AsyncIterable<Buffer>,
  hash: Hash,
): { chunks: AsyncIterable<Buffer>; bytes: () => number } {
  let bytes = 0
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  return { chunks: chunks(), bytes: () => bytes }
}
