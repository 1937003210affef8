/**
 * As much of the D-Bus wire format as talking to systemd takes: little-endian messages, the basic types, arrays,
 * structs and variants. D-Bus Specification, "Message Protocol" and "Marshaling".
 */
export type DbusValue = string | number | bigint | boolean | Uint8Array | readonly DbusValue[]

export const METHOD_CALL = 1
export const METHOD_RETURN = 2
export const ERROR = 3
export const SIGNAL = 4
const HEADER_FIELDS = {
  path: [1, 'o'],
  interface: [2, 's'],
  member: [3, 's'],
  errorName: [4, 's'],
  replySerial: [5, 'u'],
  destination: [6, 's'],
  sender: [7, 's'],
  signature: [8, 'g'],
} as const
type HeaderName = keyof typeof HEADER_FIELDS

export interface DbusMessage {
  readonly type: number
  readonly serial: number
  readonly header: Readonly<Partial<Record<HeaderName, DbusValue>>>
  readonly body: readonly DbusValue[]
}

/** The most that the specification allows is 128 MiB; systemd's answers here are some hundred bytes. */
const MESSAGE_MAX = 1 << 20
const FIXED_HEADER = 16

export function encodeMessage(message: DbusMessage): Buffer {
  const signature = String(message.header.signature ?? '')
  const body = new Writer()
  splitSignature(signature).forEach((type, index) => body.put(type, message.body[index] ?? 0))
  const head = new Writer()
  head.put('y', 'l'.charCodeAt(0))
  for (const byte of [message.type, 0, 1]) head.put('y', byte)
  head.put('u', body.size)
  head.put('u', message.serial)
  const fields = (Object.keys(message.header) as HeaderName[]).map((name) => {
    const [code, type] = HEADER_FIELDS[name]
    return [code, [type, message.header[name] ?? '']]
  })
  head.put('a(yv)', fields as DbusValue)
  head.align(8)
  return Buffer.concat([head.bytes(), body.bytes()])
}

/** One message and what follows it; undefined: more bytes are needed. Throws RangeError for what is no message. */
export function decodeMessage(
  data: Buffer,
): { readonly message: DbusMessage; readonly rest: Buffer } | undefined {
  if (data.length < FIXED_HEADER) return undefined
  if (data[0] !== 'l'.charCodeAt(0)) throw new RangeError('D-Bus: not a little-endian message')
  const bodySize = data.readUInt32LE(4)
  const headerEnd = alignedTo(8, FIXED_HEADER + data.readUInt32LE(12))
  if (headerEnd + bodySize > MESSAGE_MAX) throw new RangeError('D-Bus: message too long')
  if (data.length < headerEnd + bodySize) return undefined
  const fields = new Reader(data.subarray(0, headerEnd), 12).take('a(yv)') as DbusValue[][]
  const header: Partial<Record<HeaderName, DbusValue>> = {}
  for (const [code, value] of fields) {
    const name = (Object.keys(HEADER_FIELDS) as HeaderName[]).find(
      (one) => HEADER_FIELDS[one][0] === code,
    )
    if (name !== undefined && value !== undefined) header[name] = value
  }
  const reader = new Reader(data.subarray(headerEnd, headerEnd + bodySize), 0)
  const message = {
    type: data[1] ?? 0,
    serial: data.readUInt32LE(8),
    header,
    body: splitSignature(String(header.signature ?? '')).map((type) => reader.take(type)),
  }
  return { message, rest: data.subarray(headerEnd + bodySize) }
}

function alignedTo(size: number, at: number): number {
  return Math.ceil(at / size) * size
}

/** `sa(sv)u` → `s`, `a(sv)`, `u`. */
function splitSignature(signature: string): string[] {
  const types: string[] = []
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

function endOfType(signature: string, at: number): number {
  const kind = signature[at]
  if (kind === 'a') return endOfType(signature, at + 1)
  if (kind !== '(' && kind !== '{') return at + 1
  for (let depth = 0, i = at; i < signature.length; i++) {
    const mark = signature[i] ?? ''
    if ('({'.includes(mark)) depth++
    else if (')}'.includes(mark) && --depth === 0) return i + 1
  }
  throw new RangeError(`D-Bus: unbalanced signature ${signature}`)
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  // biome-ignore format: by size
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  s: 4,
  o: 4,
  a: 4,
  // biome-ignore format: by size
  x: 8,
  t: 8,
  d: 8,
  '(': 8,
  '{': 8,
}

function alignmentOf(type: string): number {
  const alignment = ALIGNMENT[type[0] ?? '']
  if (alignment === undefined) throw new RangeError(`D-Bus: unknown type ${type}`)
  return alignment
}

class Writer {
  readonly #parts: Buffer[] = []
  size = 0

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  align(size: number): void {
    this.#push(Buffer.alloc(alignedTo(size, this.size) - this.size))
  }

  put(type: string, value: DbusValue): void {
    this.align(alignmentOf(type))
    switch (type[0]) {
      case 'y':
        this.#push(Buffer.from([Number(value)]))
        break
      case 'b':
      case 'u':
        this.#uint32(Number(value))
        break
      case 't':
        this.#uint64(BigInt(value as bigint))
        break
      case 's':
      case 'o':
        this.#uint32(Buffer.byteLength(String(value)))
        this.#push(Buffer.from(`${String(value)}\0`))
        break
      case 'g':
        this.#push(Buffer.from(`${String.fromCharCode(String(value).length)}${String(value)}\0`))
        break
      case 'v':
        this.#variant(value as readonly [string, DbusValue])
        break
      case 'a':
        this.#array(type.slice(1), value as readonly DbusValue[])
        break
      case '(':
        splitSignature(type.slice(1, -1)).forEach((inner, index) =>
          this.put(inner, (value as readonly DbusValue[])[index] ?? 0),
        )
        break
      default:
        throw new RangeError(`D-Bus: type ${type} cannot be sent`)
    }
  }

  #variant([type, value]: readonly [string, DbusValue]): void {
    this.put('g', type)
    this.put(type, value)
  }

  /** The length does not count the padding before the first element. */
  #array(type: string, values: readonly DbusValue[]): void {
    const length = Buffer.alloc(4)
    this.#push(length)
    this.align(alignmentOf(type))
    const start = this.size
    for (const value of values) this.put(type, value)
    length.writeUInt32LE(this.size - start)
  }

  #uint32(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    this.#push(bytes)
  }

  #uint64(value: bigint): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(value)
    this.#push(bytes)
  }

  #push(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.size += bytes.length
  }
}

class Reader {
  readonly #data: Buffer
  #at: number

  constructor(data: Buffer, at: number) {
    this.#data = data
    this.#at = at
  }

  take(type: string): DbusValue {
    this.#at = alignedTo(alignmentOf(type), this.#at)
    switch (type[0]) {
      case 'y':
        return this.#bytes(1)[0] ?? 0
      case 'q':
        return this.#bytes(2).readUInt16LE(0)
      case 'b':
        return this.#bytes(4).readUInt32LE(0) !== 0
      case 'i':
        return this.#bytes(4).readInt32LE(0)
      case 'u':
        return this.#bytes(4).readUInt32LE(0)
      case 't':
        return this.#bytes(8).readBigUInt64LE(0)
      case 'x':
        return this.#bytes(8).readBigInt64LE(0)
      case 's':
      case 'o':
        return this.#text(this.#bytes(4).readUInt32LE(0))
      case 'g':
        return this.#text(this.#bytes(1)[0] ?? 0)
      case 'v':
        return this.take(String(this.take('g')))
      case 'a':
        return this.#array(type.slice(1))
      case '(':
      case '{':
        return splitSignature(type.slice(1, -1)).map((inner) => this.take(inner))
      default:
        throw new RangeError(`D-Bus: type ${type} cannot be read`)
    }
  }

  #array(type: string): DbusValue[] {
    const size = this.#bytes(4).readUInt32LE(0)
    this.#at = alignedTo(alignmentOf(type), this.#at)
    const end = this.#at + size
    const values: DbusValue[] = []
    while (this.#at < end) {
      const before = this.#at
      values.push(this.take(type))
      // `a()`: there would be no end.
      if (this.#at === before) throw new RangeError('D-Bus: elements of no size')
    }
    return values
  }

  #text(length: number): string {
    return this.#bytes(length + 1).toString('utf8', 0, length)
  }

  #bytes(count: number): Buffer {
    const bytes = this.#data.subarray(this.#at, this.#at + count)
    if (bytes.length < count) throw new RangeError('D-Bus: message too short')
    this.#at += count
    return bytes
  }
}
