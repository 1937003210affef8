import { type SparseChunk, TarError } from './format.ts'

/** Records of a pax extended header that change the next member. Keys are text, values bytes. pax(1) "Extended Header" */
export type PaxRecords = Map<string, Buffer>

const XATTR_PREFIX = 'SCHILY.xattr.'

/** Parses `<length> <key>=<value>\n` records. The length counts the whole record. */
export function parsePaxRecords(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map()
  const sparseOffsets: string[] = []
  let offset = 0
  while (offset < data.length) {
    const space = data.indexOf(32, offset)
    const digits = space === -1 ? '' : data.toString('latin1', offset, space)
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0
    const end = offset + length
    const equals = data.indexOf(61, space)
    if (
      length === 0 ||
      end > data.length ||
      data[end - 1] !== 10 ||
      equals <= space ||
      equals >= end
    ) {
      throw new TarError('invalid pax record')
    }
    const key = data.toString('utf8', space + 1, equals)
    const value = data.subarray(equals + 1, end - 1)
    // GNU sparse 0.0 repeats its keys in pairs; 0.1 has them in one list.
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      sparseOffsets.push(value.toString('latin1'))
    } else records.set(key, value)
    offset = end
  }
  if (sparseOffsets.length > 0) {
    records.set('GNU.sparse.map', Buffer.from(sparseOffsets.join(','), 'latin1'))
  }
  return records
}

export function paxPath(records: PaxRecords, key: string): string | undefined {
  const value = records.get(key)
  if (value === undefined || value.length === 0) return undefined
  if (value.includes(0)) throw new TarError(`invalid pax record: ${key} holds a NUL`)
  return value.toString('latin1')
}

export function paxInteger(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)
  if (value === undefined || value.length === 0) return undefined
  const text = value.toString('latin1')
  const number = Number(text)
  if (!/^-?[0-9]{1,20}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new TarError(`invalid pax record: ${key}`)
  }
  return number
}

/** `seconds[.fraction]`, as whole seconds and nanoseconds since then. */
export function paxTime(
  records: PaxRecords,
  key: string,
): { seconds: number; nanoseconds: number } | undefined {
  const value = records.get(key)
  if (value === undefined || value.length === 0) return undefined
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1'))
  if (match === null) throw new TarError(`invalid pax record: ${key}`)
  const whole = Number(match[2])
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'))
  if (match[1] === '') return { seconds: whole, nanoseconds: fraction }
  if (fraction === 0) return { seconds: -whole, nanoseconds: 0 }
  return { seconds: -whole - 1, nanoseconds: 1e9 - fraction }
}

/** Extended attributes; values are bytes (a capability set, an ACL). */
export function paxXattrs(records: PaxRecords): Map<string, Buffer> | undefined {
  let xattrs: Map<string, Buffer> | undefined
  for (const [key, value] of records) {
    if (!key.startsWith(XATTR_PREFIX)) continue
    const name = key.slice(XATTR_PREFIX.length)
    if (name === '' || name.includes('\0')) throw new TarError('invalid pax record: xattr name')
    xattrs ??= new Map()
    xattrs.set(name, Buffer.from(value))
  }
  return xattrs
}

/** `offset,length,offset,length,…` of GNU sparse 0.1 (and 0.0, see above). */
export function parseSparseMap(list: string[]): SparseChunk[] {
  if (list.length % 2 !== 0) throw new TarError('invalid sparse map')
  const chunks: SparseChunk[] = []
  for (let index = 0; index < list.length; index += 2) {
    chunks.push({ offset: integer(list[index]), length: integer(list[index + 1]) })
  }
  return chunks
}

function integer(text: string | undefined): number {
  const value = Number(text)
  if (text === undefined || !/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw new TarError('invalid sparse map')
  }
  return value
}
