import { createHash } from 'node:crypto'
import {
  type Compression,
  decompress,
  SNIFF_BYTES,
  sniffCompression,
} from '../content/compression.ts'
import { fromText } from '../tar/format.ts'
import { TarParser } from '../tar/parser.ts'
import { FileProgram } from './file-program.ts'
import { type Progress, readGrowing } from './growing-file.ts'
import { Unpacker, type UnpackOptions } from './unpacker.ts'

/** One blob to read to its end, and to unpack on the way. Sent to a worker. */
export interface UnpackJob {
  path: string
  progress: Progress
  /** An empty directory; undefined to compute the diff ID only. */
  target: string | undefined
  whiteouts: UnpackOptions['whiteouts']
  /** Also where the blob is the tar itself; else whoever wrote it knows its digest. */
  isDigestWanted?: boolean
}

export interface UnpackedTar {
  compression: Compression
  /** Of the uncompressed tar; undefined if the blob is that and `isDigestWanted` is not set. */
  diffId: string | undefined
  size: number
  impliedDirectories: string[]
}

/** Everything is read once: the tar is unpacked, and its digest computed, while its bytes arrive. */
export async function runUnpackJob(job: UnpackJob): Promise<UnpackedTar> {
  const compression = await sniff(job)
  const isPlain = compression === 'none'
  const hash = isPlain && job.isDigestWanted !== true ? undefined : createHash('sha256')
  if (isPlain && job.target === undefined) return { compression, diffId: undefined, ...NOTHING }
  const unpacker =
    job.target === undefined
      ? undefined
      : new Unpacker(new FileProgram(fromText(job.target), job.path), job)
  try {
    const parser = unpacker === undefined ? undefined : new TarParser(unpacker)
    const source = readGrowing(job.path, job.progress, { reuse: isPlain })
    let offset = 0
    for await (const chunk of decompress(source, compression)) {
      if (isPlain) unpacker?.at(chunk, offset)
      offset += chunk.length
      hash?.update(chunk)
      parser?.write(chunk)
    }
    parser?.finish()
    const result = (await unpacker?.finish()) ?? NOTHING
    const diffId = hash === undefined ? undefined : `sha256:${hash.digest('hex')}`
    return { compression, diffId, size: result.size, impliedDirectories: result.impliedDirectories }
  } finally {
    await unpacker?.abort()
  }
}

const NOTHING = { size: 0, impliedDirectories: [] }

async function sniff(job: UnpackJob): Promise<Compression> {
  let head = Buffer.alloc(0)
  for await (const chunk of readGrowing(job.path, job.progress, { reuse: false })) {
    head = Buffer.concat([head, chunk])
    if (head.length >= SNIFF_BYTES) break
  }
  return sniffCompression(head)
}
