import { BLOCK_BYTES, type SparseChunk, type TarEntry, TarError } from './format.ts'
import {
  entryType,
  isZeroBlock,
  parseHeader,
  parseSparseExtension,
  type RawHeader,
} from './header.ts'
import {
  type PaxRecords,
  parsePaxRecords,
  parseSparseMap,
  paxInteger,
  paxPath,
  paxTime,
  paxXattrs,
} from './pax.ts'

/** Receives an archive in its order. `data` and `end` come for files only; `chunk` is valid during the call only. */
export interface TarHandler {
  entry(entry: TarEntry): void
  data(chunk: Buffer, position: number): void
  end(): void
}

/** Go's archive/tar has the same bound for pax headers and long names. */
const MAX_META_BYTES = 1 << 20
const MAX_SPARSE_CHUNKS = 1 << 20
const MAX_ID = 0xfffffffe
const LF = 10

type State = 'header' | 'meta' | 'sparse-extension' | 'sparse-map' | 'data' | 'padding' | 'finished'

/**
 * A tar reader that is pushed: `write` pieces of any size, then `finish`. It reads v7, ustar, pax, GNU and star headers
 * as Go's archive/tar does, which is what Docker reads layers with. Everything is synchronous: the caller decides what
 * waits. Own code, because the libraries decode names and attribute values as UTF-8 (decision 0010).
 */
export class TarParser {
  readonly #handler: TarHandler
  #state: State = 'header'
  /** A block (or meta data) that came in pieces. */
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES)
  #blockLength = 0
  #meta: Buffer[] = []
  #metaType = ''
  /** Bytes of the current data, and of its padding, that are still to come. */
  #remaining = 0
  #padding = 0
  #fullPadding = 0
  #position = 0
  #zeroBlocks = 0
  #pending: { path?: string; linkTarget?: string; pax?: PaxRecords } = {}
  #raw: RawHeader | undefined
  #chunks: SparseChunk[] | undefined
  #chunkIndex = 0
  #sparseMapText = ''
  #sparseMapLines = 0
  #sparseMapWanted: number | undefined

  constructor(handler: TarHandler) {
    this.#handler = handler
  }

  write(input: Buffer): void {
    let offset = 0
    while (offset < input.length) {
      switch (this.#state) {
        case 'header':
        case 'sparse-extension':
        case 'sparse-map':
          offset = this.#takeBlock(input, offset)
          break
        case 'meta':
          offset = this.#takeMeta(input, offset)
          break
        case 'data':
          offset = this.#takeData(input, offset)
          break
        case 'padding':
          offset = this.#takePadding(input, offset)
          break
        case 'finished':
          return
      }
    }
  }

  /**
   * Call at the end of the input. An archive may lack its two zero blocks and what fills up the last member's block (that of
   * `docker build -f -` ends with its last byte of data), but nothing of a member.
   */
  finish(): void {
    const isBetween =
      this.#state === 'padding'
        ? this.#padding === this.#fullPadding
        : this.#state === 'header' && this.#blockLength === 0
    const hasPending = Object.keys(this.#pending).length > 0
    if (this.#state !== 'finished' && (!isBetween || hasPending))
      throw new TarError('unexpected EOF')
  }

  #takeBlock(input: Buffer, offset: number): number {
    if (this.#blockLength === 0 && input.length - offset >= BLOCK_BYTES) {
      this.#onBlock(input, offset)
      return offset + BLOCK_BYTES
    }
    const length = Math.min(BLOCK_BYTES - this.#blockLength, input.length - offset)
    input.copy(this.#block, this.#blockLength, offset, offset + length)
    this.#blockLength += length
    if (this.#blockLength === BLOCK_BYTES) {
      this.#blockLength = 0
      this.#onBlock(this.#block, 0)
    }
    return offset + length
  }

  #onBlock(buffer: Buffer, offset: number): void {
    if (this.#state === 'sparse-extension') this.#onSparseExtension(buffer, offset)
    else if (this.#state === 'sparse-map') this.#onSparseMap(buffer, offset)
    else this.#onHeader(buffer, offset)
  }

  #onHeader(buffer: Buffer, offset: number): void {
    if (buffer[offset] === 0 && isZeroBlock(buffer, offset)) {
      this.#zeroBlocks += 1
      if (this.#zeroBlocks === 2) this.#state = 'finished'
      return
    }
    if (this.#zeroBlocks > 0) throw new TarError('invalid tar header')
    const raw = parseHeader(buffer, offset)
    if (raw.size < 0) throw new TarError('invalid tar header: negative size')
    switch (raw.typeflag) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        this.#startMeta(raw)
        return
      default:
        this.#startMember(raw)
    }
  }

  #startMeta(raw: RawHeader): void {
    if (raw.size > MAX_META_BYTES) throw new TarError('tar header is too large')
    this.#metaType = raw.typeflag
    this.#meta = []
    this.#setData(raw.size)
    if (raw.size === 0) this.#onMeta()
    else this.#state = 'meta'
  }

  #takeMeta(input: Buffer, offset: number): number {
    const length = Math.min(this.#remaining, input.length - offset)
    this.#meta.push(Buffer.from(input.subarray(offset, offset + length)))
    this.#remaining -= length
    if (this.#remaining === 0) this.#onMeta()
    return offset + length
  }

  #onMeta(): void {
    const data = Buffer.concat(this.#meta)
    this.#meta = []
    if (this.#metaType === 'x') this.#pending.pax = parsePaxRecords(data)
    if (this.#metaType === 'L') this.#pending.path = untilNul(data)
    if (this.#metaType === 'K') this.#pending.linkTarget = untilNul(data)
    // A global pax header (git archive writes one) is read and ignored, as Docker does.
    this.#state = this.#padding > 0 ? 'padding' : 'header'
  }

  #startMember(raw: RawHeader): void {
    this.#raw = raw
    this.#chunks = undefined
    const pax = this.#pending.pax
    raw.size = pax === undefined ? raw.size : (paxInteger(pax, 'size') ?? raw.size)
    if (raw.size < 0) throw new TarError('invalid tar header: negative size')
    if (entryType(raw.typeflag) !== 'file') raw.size = 0
    this.#setData(raw.size)
    if (raw.sparse?.isExtended === true) {
      this.#state = 'sparse-extension'
      return
    }
    if (raw.sparse !== undefined) {
      this.#emit(raw.sparse.chunks, raw.sparse.realSize)
      return
    }
    if (pax !== undefined && this.#startPaxSparse(pax)) return
    this.#emit(undefined, raw.size)
  }

  #onSparseExtension(buffer: Buffer, offset: number): void {
    const sparse = this.#raw?.sparse
    if (sparse === undefined) throw new TarError('invalid sparse header')
    const isExtended = parseSparseExtension(buffer, offset, sparse.chunks)
    if (sparse.chunks.length > MAX_SPARSE_CHUNKS) throw new TarError('sparse map is too large')
    if (!isExtended) this.#emit(sparse.chunks, sparse.realSize)
  }

  /** GNU sparse 0.0, 0.1 (map in pax records) and 1.0 (map in front of the data). True if it is one of them. */
  #startPaxSparse(pax: PaxRecords): boolean {
    const map = pax.get('GNU.sparse.map')
    const realSize = paxInteger(pax, 'GNU.sparse.realsize') ?? paxInteger(pax, 'GNU.sparse.size')
    if (map !== undefined && realSize !== undefined) {
      const list = map.length === 0 ? [] : map.toString('latin1').split(',')
      this.#emit(parseSparseMap(list), realSize)
      return true
    }
    if (paxInteger(pax, 'GNU.sparse.major') !== 1 || realSize === undefined) return false
    this.#sparseMapText = ''
    this.#sparseMapLines = 0
    this.#sparseMapWanted = undefined
    this.#state = 'sparse-map'
    return true
  }

  /** 1.0: decimal lines, the count of chunks first, padded to whole blocks. */
  #onSparseMap(buffer: Buffer, offset: number): void {
    if (this.#remaining < BLOCK_BYTES) throw new TarError('invalid sparse map')
    this.#remaining -= BLOCK_BYTES
    this.#sparseMapText += buffer.toString('latin1', offset, offset + BLOCK_BYTES)
    if (this.#sparseMapText.length > MAX_META_BYTES) throw new TarError('sparse map is too large')
    for (let at = offset; at < offset + BLOCK_BYTES; at++) {
      if (buffer[at] === LF) this.#sparseMapLines += 1
    }
    if (this.#sparseMapLines === 0) return
    this.#sparseMapWanted ??= wantedLines(this.#sparseMapText)
    const wanted = this.#sparseMapWanted
    if (this.#sparseMapLines < wanted) return
    const lines = this.#sparseMapText.split('\n')
    const pax = this.#pending.pax ?? new Map()
    const realSize = paxInteger(pax, 'GNU.sparse.realsize') ?? 0
    this.#emit(parseSparseMap(lines.slice(1, wanted)), realSize)
  }

  #emit(chunks: SparseChunk[] | undefined, size: number): void {
    const raw = this.#raw
    if (raw === undefined) throw new TarError('invalid tar header')
    if (chunks !== undefined) verifySparse(chunks, size, this.#remaining)
    const entry = toEntry(raw, this.#pending, size)
    this.#pending = {}
    this.#raw = undefined
    this.#chunks = chunks
    this.#chunkIndex = 0
    this.#position = chunks?.[0]?.offset ?? 0
    this.#handler.entry(entry)
    if (entry.type !== 'file') {
      this.#padding += this.#remaining
      this.#remaining = 0
    }
    if (this.#remaining > 0) {
      this.#state = 'data'
      return
    }
    if (entry.type === 'file') this.#handler.end()
    this.#state = this.#padding > 0 ? 'padding' : 'header'
  }

  #takeData(input: Buffer, offset: number): number {
    const chunk = this.#chunks?.[this.#chunkIndex]
    const left =
      chunk === undefined ? this.#remaining : chunk.offset + chunk.length - this.#position
    const length = Math.min(left, this.#remaining, input.length - offset)
    if (length > 0) this.#handler.data(input.subarray(offset, offset + length), this.#position)
    this.#position += length
    this.#remaining -= length
    if (chunk !== undefined && this.#position === chunk.offset + chunk.length) {
      this.#chunkIndex += 1
      this.#position = this.#chunks?.[this.#chunkIndex]?.offset ?? this.#position
    }
    if (this.#remaining === 0) {
      this.#handler.end()
      this.#state = this.#padding > 0 ? 'padding' : 'header'
    }
    return offset + length
  }

  #takePadding(input: Buffer, offset: number): number {
    const length = Math.min(this.#padding, input.length - offset)
    this.#padding -= length
    if (this.#padding === 0) this.#state = 'header'
    return offset + length
  }

  #setData(size: number): void {
    this.#remaining = size
    this.#padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
    this.#fullPadding = this.#padding
  }
}

function toEntry(
  raw: RawHeader,
  pending: { path?: string; linkTarget?: string; pax?: PaxRecords },
  size: number,
): TarEntry {
  const pax: PaxRecords = pending.pax ?? new Map()
  const path = paxPath(pax, 'GNU.sparse.name') ?? paxPath(pax, 'path') ?? pending.path ?? raw.path
  const mtime = paxTime(pax, 'mtime') ?? { seconds: raw.mtimeSeconds, nanoseconds: 0 }
  const type = entryType(raw.typeflag)
  return {
    path,
    // Before ustar a directory was a file whose name ends with a slash.
    type: type === 'file' && path.endsWith('/') ? 'directory' : type,
    linkTarget: paxPath(pax, 'linkpath') ?? pending.linkTarget ?? raw.linkTarget,
    mode: raw.mode & 0o7777,
    uid: id(paxInteger(pax, 'uid') ?? raw.uid, 'uid'),
    gid: id(paxInteger(pax, 'gid') ?? raw.gid, 'gid'),
    size,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    major: device(raw.major),
    minor: device(raw.minor),
    xattrs: pending.pax === undefined ? undefined : paxXattrs(pax),
  }
}

/** 2^32 - 1 would mean "unchanged" to chown(2). */
function id(value: number, name: string): number {
  if (value < 0 || value > MAX_ID) throw new TarError(`invalid tar header: ${name} ${value}`)
  return value
}

function device(value: number): number {
  if (value < 0 || value > 0xffffffff) throw new TarError(`invalid tar header: device ${value}`)
  return value
}

/** Of a sparse map whose first line is there: the count, and two for each chunk. */
function wantedLines(map: string): number {
  const count = map.slice(0, map.indexOf('\n'))
  if (!/^[0-9]{1,7}$/.test(count)) throw new TarError('invalid sparse map')
  return 1 + 2 * Number(count)
}

function verifySparse(chunks: SparseChunk[], size: number, dataBytes: number): void {
  let end = 0
  let total = 0
  for (const chunk of chunks) {
    if (chunk.offset < end || chunk.offset + chunk.length > size) {
      throw new TarError('invalid sparse map')
    }
    end = chunk.offset + chunk.length
    total += chunk.length
  }
  if (total !== dataBytes || size < 0) throw new TarError('invalid sparse map')
}

function untilNul(data: Buffer): string {
  const end = data.indexOf(0)
  return data.toString('latin1', 0, end === -1 ? data.length : end)
}
