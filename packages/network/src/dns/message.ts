/**
 * DNS messages as far as a relay needs them: the one question of a query, answers made here, and where the TTLs of an
 * answer made elsewhere are. Everything else is passed on byte for byte. Nothing follows a compression pointer, so no
 * message can make this loop; every read is checked against the message's length. RFC 1035 §4
 */

export const TYPE = { A: 1, SOA: 6, PTR: 12, AAAA: 28, OPT: 41, ANY: 255 } as const
export const CLASS_IN = 1
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
} as const
export type Rcode = (typeof RCODE)[keyof typeof RCODE]

export interface Query {
  /** The message as it came. */
  readonly bytes: Buffer
  /** Labels in lower case, joined by dots, none at the end; the root is ''. */
  readonly name: string
  readonly type: number
  readonly class: number
  /** The question section is bytes 12 to here. */
  readonly questionEnd: number
  /** Largest UDP answer that the client takes. RFC 6891 §6.2.3 */
  readonly udpBytes: number
  readonly hasEdns: boolean
}

/** A query that is answered with an error at once, or, as `undefined`, not at all: answers to answers could go on for ever. */
export type ParsedQuery = Query | { readonly bytes: Buffer; readonly error: Rcode } | undefined

export interface Answer {
  readonly rcode: Rcode
  /** Of the type that was asked for, or PTR: values in wire format. */
  readonly records: readonly { readonly type: number; readonly data: Uint8Array }[]
}

export const MAX_QUERY_BYTES = 4096
const HEADER_BYTES = 12
const MIN_UDP_BYTES = 512 // RFC 1035 §4.2.1
/** What we send at most over UDP: no fragments on any usual link. dnsflagday.net/2020 */
const MAX_UDP_BYTES = 1232
const OPT_RECORD_BYTES = 11
/** Addresses are given to the next container at once, so nobody may keep them. */
const TTL_SECONDS = 0

const FLAG_RESPONSE = 0x8000
const MASK_OPCODE = 0x7800
const FLAG_TRUNCATED = 0x0200
const FLAG_RECURSION_DESIRED = 0x0100
const FLAG_RECURSION_AVAILABLE = 0x0080
const MASK_RCODE = 0x000f

export function parseQuery(bytes: Buffer): ParsedQuery {
  if (bytes.length < HEADER_BYTES) return undefined
  const flags = bytes.readUInt16BE(2)
  if ((flags & FLAG_RESPONSE) !== 0) return undefined
  if ((flags & MASK_OPCODE) !== 0) return { bytes, error: RCODE.NOTIMP }
  const malformed = { bytes, error: RCODE.FORMERR }
  if (bytes.length > MAX_QUERY_BYTES || bytes.readUInt16BE(4) !== 1) return malformed
  const question = readName(bytes, HEADER_BYTES)
  if (question === undefined || question.end + 4 > bytes.length) return malformed
  const questionEnd = question.end + 4
  const records = readRecords(bytes, questionEnd)
  if (records === undefined) return malformed
  const opt = records.find((record) => record.type === TYPE.OPT)
  return {
    bytes,
    name: question.name,
    type: bytes.readUInt16BE(question.end),
    class: bytes.readUInt16BE(question.end + 2),
    questionEnd,
    hasEdns: opt !== undefined,
    udpBytes: Math.max(MIN_UDP_BYTES, Math.min(opt?.class ?? 0, MAX_UDP_BYTES)),
  }
}

/** As many records as fit into `maxBytes`; the client sees when it did not get all of them. */
export function encodeAnswer(query: Query, answer: Answer, maxBytes: number): Buffer {
  const question = query.bytes.subarray(HEADER_BYTES, query.questionEnd)
  const tail = query.hasEdns ? optRecord() : Buffer.alloc(0)
  const records: Buffer[] = []
  let length = HEADER_BYTES + question.length + tail.length
  for (const { type, data } of answer.records) {
    const record = encodeRecord(type, data)
    if (length + record.length > maxBytes) break
    records.push(record)
    length += record.length
  }
  const truncated = records.length < answer.records.length ? FLAG_TRUNCATED : 0
  const header = encodeHeader(query.bytes, answer.rcode | truncated)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  header.writeUInt16BE(query.hasEdns ? 1 : 0, 10)
  return Buffer.concat([header, question, ...records, tail])
}

/** An answer without content, for a query that could not be read. */
export function encodeError(bytes: Buffer, rcode: Rcode): Buffer {
  return encodeHeader(bytes, rcode)
}

/** Undefined unless every label fits into a name. RFC 1035 §2.3.4 */
export function encodeName(name: string): Buffer | undefined {
  const labels = name.split('.').map((label) => Buffer.from(label))
  if (labels.some((label) => label.length === 0 || label.length > 63)) return undefined
  const bytes = Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.alloc(1),
  ])
  return bytes.length > 255 ? undefined : bytes
}

export interface Response {
  readonly bytes: Buffer
  readonly rcode: number
  readonly isTruncated: boolean
  /** Offsets of the TTL fields. */
  readonly ttls: readonly number[]
  /** How long it may be kept; 0: not at all. RFC 2308 §5 for the absence of a name or record. */
  readonly lifetimeSeconds: number
}

/** Undefined when it is not an answer to `query`, sent with this `id`, or is malformed. */
export function parseResponse(bytes: Buffer, query: Query, id: number): Response | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(0) !== id) return undefined
  const flags = bytes.readUInt16BE(2)
  if ((flags & FLAG_RESPONSE) === 0 || (flags & MASK_OPCODE) !== 0) return undefined
  const rcode = flags & MASK_RCODE
  const isTruncated = (flags & FLAG_TRUNCATED) !== 0
  const isFailure = rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN
  if (isFailure && bytes.readUInt16BE(4) === 0) {
    return { bytes, rcode, isTruncated, ttls: [], lifetimeSeconds: 0 }
  }
  if (bytes.readUInt16BE(4) !== 1 || !isSameQuestion(bytes, query)) return undefined
  const records = readRecords(bytes, query.questionEnd)
  // A cut-off message need not end at a record.
  if (records === undefined && !isTruncated) return undefined
  const kept = (records ?? []).filter((record) => record.type !== TYPE.OPT)
  const canBeKept = !isTruncated && !isFailure
  return {
    bytes,
    rcode,
    isTruncated,
    ttls: kept.map((record) => record.ttlOffset),
    lifetimeSeconds: canBeKept ? lifetime(bytes, kept) : 0,
  }
}

/** The bytes as the answer to `query`, `ageSeconds` later: with its id, its spelling of the name, and less to live. */
export function readdress(response: Response, query: Query, ageSeconds: number): Buffer {
  const bytes = Buffer.from(response.bytes)
  query.bytes.copy(bytes, 0, 0, 2)
  if (bytes.readUInt16BE(4) === 1) {
    query.bytes.copy(bytes, HEADER_BYTES, HEADER_BYTES, query.questionEnd)
  }
  for (const offset of response.ttls) {
    bytes.writeUInt32BE(Math.max(0, bytes.readUInt32BE(offset) - ageSeconds), offset)
  }
  return bytes
}

/** What a UDP client gets of an answer that is too long for it: it asks again over TCP. */
export function truncate(bytes: Buffer, query: Query): Buffer {
  if (bytes.length <= query.udpBytes) return bytes
  const header = encodeHeader(query.bytes, (bytes.readUInt16BE(2) & MASK_RCODE) | FLAG_TRUNCATED)
  header.writeUInt16BE(1, 4)
  return Buffer.concat([header, query.bytes.subarray(HEADER_BYTES, query.questionEnd)])
}

interface Record {
  readonly section: 'answer' | 'authority' | 'additional'
  readonly type: number
  readonly class: number
  readonly ttlOffset: number
  /** After the record. */
  readonly end: number
}

/** The records from `start` on; undefined when they do not fit into the message. */
function readRecords(bytes: Buffer, start: number): Record[] | undefined {
  const records: Record[] = []
  let offset = start
  for (const [index, section] of (['answer', 'authority', 'additional'] as const).entries()) {
    const count = bytes.readUInt16BE(6 + 2 * index)
    for (let number = 0; number < count; number++) {
      const nameEnd = skipName(bytes, offset)
      if (nameEnd === undefined || nameEnd + 10 > bytes.length) return undefined
      offset = nameEnd + 10 + bytes.readUInt16BE(nameEnd + 8)
      if (offset > bytes.length) return undefined
      records.push({
        section,
        type: bytes.readUInt16BE(nameEnd),
        class: bytes.readUInt16BE(nameEnd + 2),
        ttlOffset: nameEnd + 4,
        end: offset,
      })
    }
  }
  return records
}

function lifetime(bytes: Buffer, records: readonly Record[]): number {
  const ttlOf = (record: Record): number => {
    const ttl = bytes.readUInt32BE(record.ttlOffset)
    return ttl > 0x7fffffff ? 0 : ttl // RFC 2181 §8
  }
  if (records.some((record) => record.section === 'answer')) {
    return Math.min(...records.map(ttlOf))
  }
  const soa = records.find((record) => record.type === TYPE.SOA && record.section === 'authority')
  if (soa === undefined || soa.end - soa.ttlOffset < 6 + 22) return 0
  return Math.min(ttlOf(soa), bytes.readUInt32BE(soa.end - 4))
}

function isSameQuestion(bytes: Buffer, query: Query): boolean {
  const question = readName(bytes, HEADER_BYTES)
  if (question === undefined || question.end + 4 !== query.questionEnd) return false
  const isSameName = question.name === query.name
  const isSameType = bytes
    .subarray(question.end, question.end + 4)
    .equals(query.bytes.subarray(question.end, question.end + 4))
  return isSameName && isSameType
}

/** A name without compression, as questions have it. */
function readName(bytes: Buffer, start: number): { name: string; end: number } | undefined {
  const labels: string[] = []
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined || length > 63) return undefined
    offset++
    if (length === 0) break
    if (offset + length > bytes.length || offset + length - start > 254) return undefined
    labels.push(readLabel(bytes.subarray(offset, offset + length)))
    offset += length
  }
  return { name: labels.join('.'), end: offset }
}

/** A dot inside a label does not end it. Only ASCII letters have two cases. RFC 4343 §3 */
function readLabel(bytes: Buffer): string {
  const text = bytes.toString('latin1').replaceAll(/[.\\]/g, '\\$&')
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function skipName(bytes: Buffer, start: number): number | undefined {
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined) return undefined
    if (length === 0) return offset + 1
    if (length >= 0xc0) return offset + 2
    if (length > 63) return undefined
    offset += 1 + length
  }
}

function encodeHeader(query: Buffer, flags: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  query.copy(header, 0, 0, 2)
  const echoed = query.readUInt16BE(2) & (MASK_OPCODE | FLAG_RECURSION_DESIRED)
  header.writeUInt16BE(FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | echoed | flags, 2)
  return header
}

function encodeRecord(type: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0) // the name of the question
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(CLASS_IN, 4)
  head.writeUInt32BE(TTL_SECONDS, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function optRecord(): Buffer {
  const record = Buffer.alloc(OPT_RECORD_BYTES)
  record.writeUInt16BE(TYPE.OPT, 1)
  record.writeUInt16BE(MAX_UDP_BYTES, 3)
  return record
}
