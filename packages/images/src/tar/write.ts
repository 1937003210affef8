import { BLOCK_BYTES, type EntryType, isAscii, type TarEntry } from './format.ts'

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
  const header = encodeBlock(entry, TYPEFLAGS[entry.type])
  if (records.length === 0) return header
  const data = Buffer.concat(records)
  const paxHeader = encodeBlock(
    { path: 'PaxHeaders.0', type: 'file', mode: 0o644, size: data.length },
    'x',
  )
  return Buffer.concat([paxHeader, data, Buffer.alloc(paddingOf(data.length)), header])
}

/** Zero bytes that follow `size` bytes of data. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

function encodeBlock(entry: NewEntry, typeflag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  const isDirectory = entry.type === 'directory' && !entry.path.endsWith('/')
  block.write(isDirectory ? `${entry.path}/` : entry.path, 0, NAME_BYTES, 'latin1')
  octal(block, 100, 7, entry.mode ?? 0, MAX_OCTAL_7)
  octal(block, 108, 7, entry.uid ?? 0, MAX_OCTAL_7)
  octal(block, 116, 7, entry.gid ?? 0, MAX_OCTAL_7)
  octal(block, 124, 11, entry.type === 'file' ? (entry.size ?? 0) : 0, MAX_OCTAL_11)
  octal(block, 136, 11, entry.mtimeSeconds ?? 0, MAX_OCTAL_11)
  block.write(typeflag, 156, 'latin1')
  block.write(entry.linkTarget ?? '', 157, NAME_BYTES, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  octal(block, 329, 7, entry.major ?? 0, MAX_OCTAL_7)
  octal(block, 337, 7, entry.minor ?? 0, MAX_OCTAL_7)
  block.fill(' ', CHECKSUM_OFFSET, CHECKSUM_OFFSET + 8)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_OFFSET, 'latin1')
  return block
}

/** What does not fit is zero here and stands in the pax header. */
function octal(block: Buffer, offset: number, digits: number, value: number, max: number): void {
  const fits = Number.isInteger(value) && value >= 0 && value <= max
  block.write((fits ? value : 0).toString(8).padStart(digits, '0'), offset, 'latin1')
}

function paxRecords(entry: NewEntry): Buffer[] {
  const records: Buffer[] = []
  const add = (key: string, value: string | Buffer): void => {
    records.push(
      encodeRecord(key, typeof value === 'string' ? Buffer.from(value, 'latin1') : value),
    )
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
  for (const [name, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(`SCHILY.xattr.${name}`, value)
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
function encodeRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'utf8'), value, Buffer.from('\n')])
  let length = rest.length + String(rest.length).length
  if (rest.length + String(length).length !== length) length = rest.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), rest])
}
