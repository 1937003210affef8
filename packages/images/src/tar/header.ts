import { BLOCK_BYTES, type EntryType, type SparseChunk, TarError } from './format.ts'

/** What one 512-byte block says, before long names and pax records are applied. */
export interface RawHeader {
  path: string
  typeflag: string
  linkTarget: string
  mode: number
  uid: number
  gid: number
  size: number
  mtimeSeconds: number
  major: number
  minor: number
  /** Of an old GNU sparse header (type S). */
  sparse: { chunks: SparseChunk[]; realSize: number; isExtended: boolean } | undefined
}

const NAME = [0, 100] as const
const MODE = [100, 8] as const
const UID = [108, 8] as const
const GID = [116, 8] as const
const SIZE = [124, 12] as const
const MTIME = [136, 12] as const
const CHECKSUM_OFFSET = 148
const CHECKSUM_BYTES = 8
const CHECKSUM = [CHECKSUM_OFFSET, CHECKSUM_BYTES] as const
const TYPEFLAG_OFFSET = 156
const LINKNAME = [157, 100] as const
const MAGIC_OFFSET = 257
const DEV_MAJOR = [329, 8] as const
const DEV_MINOR = [337, 8] as const
const PREFIX = [345, 155] as const
/** star(1) ends its header with "tar\0" and has a shorter prefix, times behind it. */
const STAR_TRAILER_OFFSET = 508
const STAR_PREFIX = [345, 131] as const
const SPARSE_OFFSET = 386
const SPARSE_HEADER_CHUNKS = 4
const SPARSE_EXTENSION_CHUNKS = 21
const SPARSE_CHUNK_BYTES = 24
const SPARSE_IS_EXTENDED_OFFSET = 482
const SPARSE_REAL_SIZE = [483, 12] as const
const SPARSE_EXTENSION_FLAG_OFFSET = 504

const TYPES: Record<string, EntryType | undefined> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
}

export function entryType(typeflag: string): EntryType {
  const type = TYPES[typeflag]
  if (type === undefined) throw new TarError(`unhandled tar header type ${typeflag.charCodeAt(0)}`)
  return type
}

export function isZeroBlock(buffer: Buffer, offset: number): boolean {
  for (let index = offset; index < offset + BLOCK_BYTES; index++)
    if (buffer[index] !== 0) return false
  return true
}

export function parseHeader(buffer: Buffer, offset: number): RawHeader {
  verifyChecksum(buffer, offset)
  const typeflag = String.fromCharCode(buffer[offset + TYPEFLAG_OFFSET] ?? 0)
  const format = magicOf(buffer, offset)
  let path = text(buffer, offset, NAME)
  if (format === 'ustar' || format === 'star') {
    const prefix = text(buffer, offset, format === 'ustar' ? PREFIX : STAR_PREFIX)
    if (prefix !== '') path = `${prefix}/${path}`
  }
  const isDevice = typeflag === '3' || typeflag === '4'
  return {
    path,
    typeflag,
    linkTarget: text(buffer, offset, LINKNAME),
    mode: number(buffer, offset, MODE),
    uid: number(buffer, offset, UID),
    gid: number(buffer, offset, GID),
    size: number(buffer, offset, SIZE),
    mtimeSeconds: number(buffer, offset, MTIME),
    major: isDevice ? number(buffer, offset, DEV_MAJOR) : 0,
    minor: isDevice ? number(buffer, offset, DEV_MINOR) : 0,
    sparse: typeflag === 'S' ? parseSparseHeader(buffer, offset) : undefined,
  }
}

/** An extension block of an old GNU sparse header: up to 21 more chunks. Returns whether another one follows. */
export function parseSparseExtension(
  buffer: Buffer,
  offset: number,
  chunks: SparseChunk[],
): boolean {
  readSparseChunks(buffer, offset, SPARSE_EXTENSION_CHUNKS, chunks)
  return buffer[offset + SPARSE_EXTENSION_FLAG_OFFSET] !== 0
}

function parseSparseHeader(buffer: Buffer, offset: number): RawHeader['sparse'] {
  const chunks: SparseChunk[] = []
  readSparseChunks(buffer, offset + SPARSE_OFFSET, SPARSE_HEADER_CHUNKS, chunks)
  return {
    chunks,
    realSize: number(buffer, offset, SPARSE_REAL_SIZE),
    isExtended: buffer[offset + SPARSE_IS_EXTENDED_OFFSET] !== 0,
  }
}

function readSparseChunks(
  buffer: Buffer,
  offset: number,
  count: number,
  chunks: SparseChunk[],
): void {
  for (let index = 0; index < count; index++) {
    const at = offset + index * SPARSE_CHUNK_BYTES
    if (buffer[at] === 0) return
    chunks.push({ offset: number(buffer, at, [0, 12]), length: number(buffer, at, [12, 12]) })
  }
}

/** The sum of all bytes with the checksum's own as spaces; some old tars summed signed bytes. */
function verifyChecksum(buffer: Buffer, offset: number): void {
  const stored = number(buffer, offset, CHECKSUM)
  let sum = sumOf(buffer, offset) + CHECKSUM_BYTES * 32
  for (let index = 0; index < CHECKSUM_BYTES; index++) {
    sum -= buffer[offset + CHECKSUM_OFFSET + index] ?? 0
  }
  if (stored === sum) return
  let high = 0
  for (let index = 0; index < BLOCK_BYTES; index++) {
    const isOwn = index >= CHECKSUM_OFFSET && index < CHECKSUM_OFFSET + CHECKSUM_BYTES
    if (!isOwn) high += (buffer[offset + index] ?? 0) >> 7
  }
  if (stored !== sum - 256 * high) throw new TarError('invalid tar header')
}

/** The sum of a block's bytes. Four at once where they are aligned, in two lanes of 16 bits: 256 times 255 fits. */
export function sumOf(buffer: Buffer, offset: number): number {
  let sum = 0
  const start = buffer.byteOffset + offset
  if (start % 4 !== 0) {
    for (let index = offset; index < offset + BLOCK_BYTES; index++) sum += buffer[index] ?? 0
    return sum
  }
  for (const word of new Uint32Array(buffer.buffer, start, BLOCK_BYTES / 4)) {
    sum += (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)
  }
  return (sum & 0xffff) + (sum >>> 16)
}

function magicOf(buffer: Buffer, offset: number): 'v7' | 'gnu' | 'ustar' | 'star' {
  const magic = buffer.toString('latin1', offset + MAGIC_OFFSET, offset + MAGIC_OFFSET + 8)
  if (magic === 'ustar  \0') return 'gnu'
  if (!magic.startsWith('ustar\0')) return 'v7'
  const trailer = buffer.toString('latin1', offset + STAR_TRAILER_OFFSET, offset + BLOCK_BYTES)
  return trailer === 'tar\0' ? 'star' : 'ustar'
}

function text(buffer: Buffer, offset: number, [start, length]: readonly [number, number]): string {
  const from = offset + start
  let end = from
  while (end < from + length && buffer[end] !== 0) end++
  return buffer.toString('latin1', from, end)
}

/** Octal text, or base 256 when the first bit is set (GNU, for what octal cannot hold). */
function number(
  buffer: Buffer,
  offset: number,
  [start, length]: readonly [number, number],
): number {
  const from = offset + start
  const first = buffer[from] ?? 0
  if ((first & 0x80) !== 0) return base256(buffer, from, length)
  let value = 0
  let hasDigits = false
  let isOver = false
  for (let index = from; index < from + length; index++) {
    const byte = buffer[index] ?? 0
    if (byte === 32 || byte === 0) {
      isOver = hasDigits
      continue
    }
    if (byte < 48 || byte > 55 || isOver) throw new TarError('invalid tar header')
    hasDigits = true
    value = value * 8 + (byte - 48)
  }
  return value
}

function base256(buffer: Buffer, from: number, length: number): number {
  const isNegative = ((buffer[from] ?? 0) & 0x40) !== 0
  let value = isNegative ? -1n : 0n
  for (let index = from; index < from + length; index++) {
    const byte = BigInt(buffer[index] ?? 0)
    const bits = index === from ? (isNegative ? byte | 0x80n : byte & 0x7fn) : byte
    value = (value << 8n) | bits
  }
  const result = Number(isNegative ? BigInt.asIntN(length * 8, value) : value)
  if (!Number.isSafeInteger(result)) throw new TarError('invalid tar header: number too large')
  return result
}
