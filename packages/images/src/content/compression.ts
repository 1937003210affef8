import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { EngineError } from '@ctr/errdefs'

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz'

/** Enough bytes to tell a compression, and an uncompressed tar by its magic at 257. */
export const SNIFF_BYTES = 512

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
]

export function sniffCompression(head: Uint8Array): Compression {
  const found = MAGIC.find(([, bytes]) => bytes.every((byte, index) => head[index] === byte))
  return found?.[0] ?? 'none'
}

/** True if these first bytes may begin a layer: something compressed, or a tar header. */
export function looksLikeLayer(head: Buffer): boolean {
  if (sniffCompression(head) !== 'none') return true
  if (head.length < SNIFF_BYTES) return false
  // An archive of nothing is 1024 zero bytes.
  return head.toString('latin1', 257, 262) === 'ustar' || head.every((byte) => byte === 0)
}

/** The uncompressed bytes of `source`. gzip and zstd run on Node's thread pool, bzip2 and xz as the system's programs. */
export function decompress(
  source: AsyncIterable<Buffer>,
  compression: Compression,
): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return source
    case 'gzip':
      return through(source, createGunzip({ chunkSize: 1 << 18 }))
    case 'zstd':
      return through(source, createZstdDecompress({ chunkSize: 1 << 18 }))
    case 'bzip2':
    case 'xz':
      return throughProgram(source, compression)
  }
}

/** What was to be decompressed is broken. */
export function isCompressionError(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false
  return typeof error.code === 'string' && /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(error.code)
}

/** Like `decompress`, with the compression found in the first bytes. */
export async function* decompressSniffed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]()
  const head: Buffer[] = []
  let length = 0
  while (length < SNIFF_BYTES) {
    const next = await iterator.next()
    if (next.done === true) break
    head.push(next.value)
    length += next.value.length
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield* head
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  try {
    yield* decompress(whole(), sniffCompression(Buffer.concat(head)))
  } finally {
    // Also if it was given up within `head`.
    await iterator.return?.()
  }
}

async function* through(
  source: AsyncIterable<Buffer>,
  transform: NodeJS.ReadWriteStream,
): AsyncGenerator<Buffer> {
  const out = new PassThrough({ highWaterMark: 1 << 20 })
  // A failure reaches the reader through `out`, which pipeline destroys with it.
  const done = pipeline(Readable.from(source, { objectMode: false }), transform, out).catch(
    () => {},
  )
  try {
    yield* out as AsyncIterable<Buffer>
  } finally {
    out.destroy()
    await done
  }
}

async function* throughProgram(
  source: AsyncIterable<Buffer>,
  program: string,
): AsyncGenerator<Buffer> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'], env: {} })
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(`${program} cannot be run: ${error.message}`))
    child.on('close', (code) => resolve(code === 0 ? undefined : `invalid ${program} data`))
  })
  const fed = pipeline(Readable.from(source, { objectMode: false }), child.stdin).catch(() => {})
  try {
    yield* child.stdout as AsyncIterable<Buffer>
    const problem = await ended
    if (problem !== undefined) throw new EngineError('INVALID_ARGUMENT', problem)
  } finally {
    child.kill('SIGKILL')
    await fed
    await ended
  }
}
