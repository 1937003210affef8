import { BLOCK_BYTES, type EntryType, fromText, isAscii, type TarEntry } from './format.ts'
import { sumOf } from './header.ts'

/** A member to write; what is left out is zero or empty. Paths are latin1 bytes as in TarEntry. */
export type NewEntry = Pick<TarEntry, 'path' | 'type'> & Partial<TarEntry>

const TYPEFLAGS: Record<EntryType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

const NAME_BYTES = 100
const MAX_OCTAL_7 = 0o7777777
const MAX_OCTAL_11 = 0o77777777777
const CHECKSUM_OFFSET = 148

/** Two zero blocks end an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK_BYTES)

/** The header of one member: ustar, preceded by a pax header for what does not fit. The same entry gives the same bytes. */
export function encodeHeader(entry: NewEntry): Buffer {
  const records = paxRecords(entry)
  const dataBytes = records.length
  const paxBytes = dataBytes === 0 ? 0 : BLOCK_BYTES + dataBytes + paddingOf(dataBytes)
  // Of the pool: `Buffer.alloc` makes an ArrayBuffer each time, which costs more than all the rest.
  const header = Buffer.allocUnsafe(paxBytes + BLOCK_BYTES).fill(0)
  if (dataBytes > 0) {
    const paxEntry = { path: 'PaxHeaders.0', type: 'file', mode: 0o644, size: dataBytes } as const
    encodeBlock(header, 0, paxEntry, 'x')
    header.write(records, BLOCK_BYTES, 'latin1')
  }
  encodeBlock(header, paxBytes, entry, TYPEFLAGS[entry.type])
  return header
}

/** Zero bytes that follow `size` bytes of data. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Writes one block, which is all zeros, at `start`. */
function encodeBlock(out: Buffer, start: number, entry: NewEntry, typeflag: string): void {
  const isDirectory = entry.type === 'directory' && !entry.path.endsWith('/')
  out.write(isDirectory ? `${entry.path}/` : entry.path, start, NAME_BYTES, 'latin1')
  octal(out, start + 100, 7, entry.mode ?? 0)
  octal(out, start + 108, 7, entry.uid ?? 0)
  octal(out, start + 116, 7, entry.gid ?? 0)
  octal(out, start + 124, 11, entry.type === 'file' ? (entry.size ?? 0) : 0)
  octal(out, start + 136, 11, entry.mtimeSeconds ?? 0)
  out.write(typeflag, start + 156, 'latin1')
  out.write(entry.linkTarget ?? '', start + 157, NAME_BYTES, 'latin1')
  out.write('ustar\x0000', start + 257, 'latin1')
  octal(out, start + 329, 7, entry.major ?? 0)
  octal(out, start + 337, 7, entry.minor ?? 0)
  out.fill(' ', start + CHECKSUM_OFFSET, start + CHECKSUM_OFFSET + 8)
  octal(out, start + CHECKSUM_OFFSET, 6, sumOf(out, start))
  out[start + CHECKSUM_OFFSET + 6] = 0
}

/** What does not fit is zero here and stands in the pax header. */
function octal(out: Buffer, offset: number, digits: 6 | 7 | 11, value: number): void {
  const max = digits === 11 ? MAX_OCTAL_11 : MAX_OCTAL_7
  let rest = Number.isInteger(value) && value >= 0 && value <= max ? value : 0
  for (let at = offset + digits - 1; at >= offset; at--) {
    out[at] = 48 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}

/** As latin1 bytes; empty where nothing needs one. */
function paxRecords(entry: NewEntry): string {
  let records = ''
  const add = (key: string, value: string): void => {
    records += encodeRecord(key, value)
  }
  const path =
    entry.type === 'directory' && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path
  const linkTarget = entry.linkTarget ?? ''
  const seconds = entry.mtimeSeconds ?? 0
  const nanoseconds = entry.mtimeNanoseconds ?? 0
  if (needsRecord(path)) add('path', path)
  if (needsRecord(linkTarget)) add('linkpath', linkTarget)
  if ((entry.uid ?? 0) > MAX_OCTAL_7) add('uid', String(entry.uid))
  if ((entry.gid ?? 0) > MAX_OCTAL_7) add('gid', String(entry.gid))
  if (entry.type === 'file' && (entry.size ?? 0) > MAX_OCTAL_11) add('size', String(entry.size))
  if (nanoseconds !== 0 || seconds < 0 || seconds > MAX_OCTAL_11) {
    add('mtime', paxTimeText(seconds, nanoseconds))
  }
  if (entry.xattrs === undefined) return records
  for (const [name, value] of [...entry.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(fromText(`SCHILY.xattr.${name}`), value.toString('latin1'))
  }
  return records
}

function needsRecord(path: string): boolean {
  return path.length > NAME_BYTES || !isAscii(path)
}

/** Before 1970 the fraction counts down: -1 s and 250 ms is "-0.75". */
function paxTimeText(seconds: number, nanoseconds: number): string {
  const isNegative = seconds < 0 && nanoseconds > 0
  const whole = isNegative ? seconds + 1 : seconds
  const fraction = isNegative ? 1e9 - nanoseconds : nanoseconds
  const sign = isNegative && whole === 0 ? '-' : ''
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '')
  return `${sign}${whole}${digits === '' ? '' : `.${digits}`}`
}

/** The length counts its own digits. */
function encodeRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + String(rest.length).length
  if (rest.length + String(length).length !== length) length = rest.length + String(length).length
  return `${length}${rest}`
}
