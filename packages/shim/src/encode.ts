import { bytesOfText } from '@ctr/api/raw-bytes'
import { OPS, type Op, type Program } from './ops.ts'
import { CLONE } from './plan/constants.ts'

const RECORD_HEADER_BYTES = 8
export const START_MAGIC = 'CTR1'
const PREPARE_MAGIC = 'CTRP'
const VERSION = 1
const OPTIONAL = 1
const BESIDE = 2
/** As PROGRAM_MAX in native/protocol.h. */
const PROGRAM_MAX_BYTES = 16 * 1024 * 1024

/** The records of a program as they travel (PROTOCOL.md §1). Throws RangeError for a value that no record can hold. */
export function encodeProgram(program: Program): Buffer {
  writer.begin()
  for (let index = 0; index < program.length; ) index += writeNext(writer, program, index)
  return writer.finish()
}

/** Records of a run of operations that is in several programs, by its first. */
const encodedAhead = new WeakMap<Op, { readonly run: Program; readonly records: Buffer }>()

/** For operations that go into several programs, one behind the other as they are here. Gives them back. */
export function encodeAhead(run: Program): Program {
  const [first] = run
  if (first !== undefined) encodedAhead.set(first, { run, records: encodeProgram(run) })
  return run
}

/** Gives the number of operations that were written. */
function writeNext(writer: Writer, program: Program, index: number): number {
  const op = program[index]
  if (op === undefined) return 1
  const ahead = encodedAhead.get(op)
  if (ahead?.run.every((one, offset) => one === program[index + offset]) === true) {
    writer.records(ahead.records)
    return ahead.run.length
  }
  writeRecord(writer, op)
  return 1
}

/** A start message: what the spawner's connection reads. */
export function encodeStart(program: Program): Buffer {
  const records = encodeProgram(program)
  if (records.length === 0) throw new RangeError('an empty program')
  if (records.length > PROGRAM_MAX_BYTES) {
    throw new RangeError(`a program of ${records.length} bytes; at most ${PROGRAM_MAX_BYTES}`)
  }
  return Buffer.concat([encodeHeader(START_MAGIC, records.length), records])
}

/** A prepare message: the namespaces of `program`, for one like it. Undefined if there are none that can be made ahead. */
export function encodePrepare(program: Program): Buffer | undefined {
  const flags = program.find((op) => op.op === 'clone')?.flags ?? 0n
  if ((flags & PREPARED_FLAGS) === 0n || (flags & CLONE.CLONE_NEWUSER) !== 0n) return undefined
  const loopback = program.some(raisesLoopback) ? PREPARE_LOOPBACK : 0
  return encodeHeader(PREPARE_MAGIC, Number(flags & PREPARED_FLAGS) + loopback)
}

/** As native/protocol.h. */
const PREPARE_LOOPBACK = 1

/** As native/prepare.c. struct nlmsghdr, struct ifinfomsg: rtnetlink(7) */
function raisesLoopback(op: Op): boolean {
  if (op.op !== 'netlink' || op.side !== 'child' || op.message.length < 32) return false
  const message = Buffer.from(op.message.buffer, op.message.byteOffset, op.message.length)
  const [RTM_NEWLINK, LOOPBACK_INDEX, IFF_UP] = [16, 1, 1]
  return (
    message.readUInt16LE(4) === RTM_NEWLINK &&
    message.readInt32LE(20) === LOOPBACK_INDEX &&
    (message.readUInt32LE(24) & message.readUInt32LE(28) & IFF_UP) !== 0
  )
}

/** A program as the spawner takes it. */
export interface EncodedProgram {
  /** Of a supervised program. */
  readonly runtimeDir: string | undefined
  /** From `encodeStart`. */
  readonly message: Uint8Array
  /** For the shim of the next program, if one like this follows. */
  readonly prepare: Uint8Array | undefined
  /** What is in it, for the words of an error. */
  readonly program: () => Program
}

export function encode(program: Program): EncodedProgram {
  const [first] = program
  return {
    runtimeDir: first?.op === 'runtime_dir' ? first.path : undefined,
    message: encodeStart(program),
    prepare: encodePrepare(program),
    program: () => program,
  }
}

/** As native/prepare.c. */
const PREPARED_FLAGS = CLONE.CLONE_NEWNET | CLONE.CLONE_NEWIPC

export function encodeHeader(magic: string, value: number): Buffer {
  const header = Buffer.alloc(12)
  header.write(magic, 0, 'latin1')
  header.writeUInt32LE(VERSION, 4)
  header.writeUInt32LE(value, 8)
  return header
}

function writeRecord(writer: Writer, op: Op): void {
  const shape = OPS[op.op]
  const side = shape.side === 'any' ? op.side : shape.side
  if (side === undefined) throw new RangeError(`${op.op}: no side given`)
  const start = writer.length
  writer.u16(shape.code)
  writer.u8(side === 'host' ? 0 : 1)
  writer.u8((op.optional === true ? OPTIONAL : 0) | (op.beside === true ? BESIDE : 0))
  writer.u32(0)
  const values = op as unknown as Readonly<Record<string, unknown>>
  writer.op = op.op
  for (const [name, kind] of fieldsOf(op.op)) writer.field(kind, values[name], name)
  writer.patchU32(start + 4, writer.length - start - RECORD_HEADER_BYTES)
}

const FIELDS = new Map<Op['op'], readonly (readonly [name: string, kind: string])[]>()

/** Made once for each operation: a program has some sixty. */
function fieldsOf(name: Op['op']): readonly (readonly [name: string, kind: string])[] {
  let fields = FIELDS.get(name)
  if (fields === undefined) {
    fields = Object.entries(OPS[name].fields)
    FIELDS.set(name, fields)
  }
  return fields
}

/** Most programs have less. */
const USUAL_BYTES = 16 * 1024

class Writer {
  #buffer = Buffer.allocUnsafeSlow(USUAL_BYTES)
  length = 0
  /** Whose fields are being written, for errors. */
  op = ''

  field(kind: string, value: unknown, name: string): void {
    if (kind === 'u32' && typeof value === 'number') this.#checkedU32(value, name)
    else if (kind === 'u64' && typeof value === 'bigint') this.#u64(value, name)
    else if (kind === 'str' && typeof value === 'string') this.#str(value, name)
    else if (kind === 'bytes' && value instanceof Uint8Array) this.#bytes(value)
    else if (kind === 'strs' && Array.isArray(value)) {
      this.u32(value.length)
      for (const each of value) this.field('str', each, name)
    } else throw new RangeError(`${this.op}.${name}: not a ${kind}`)
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#buffer[this.length++] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.length = this.#buffer.writeUInt16LE(value, this.length)
  }

  u32(value: number): void {
    this.#reserve(4)
    this.length = this.#buffer.writeUInt32LE(value, this.length)
  }

  patchU32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value, offset)
  }

  records(bytes: Buffer): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  begin(): void {
    this.length = 0
    if (this.#buffer.length > USUAL_BYTES) this.#buffer = Buffer.allocUnsafeSlow(USUAL_BYTES)
  }

  /** The caller's own: the writer's buffer is for the next program. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.length))
  }

  #checkedU32(value: number, name: string): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new RangeError(`${this.op}.${name}: ${value} is no u32`)
    }
    this.u32(value)
  }

  #u64(value: bigint, name: string): void {
    if (value < 0n || value > 0xffffffffffffffffn)
      throw new RangeError(`${this.op}.${name}: ${value} is no u64`)
    this.#reserve(8)
    this.length = this.#buffer.writeBigUInt64LE(value, this.length)
  }

  #str(value: string, name: string): void {
    if (value.includes('\0'))
      throw new RangeError(`${this.op}.${name}: a string with a NUL character`)
    if (!value.isWellFormed()) {
      this.#bytes(bytesOfText(value))
      this.#reserve(1)
      this.#buffer[this.length++] = 0
      return
    }
    // UTF-8 takes at most three bytes for each unit; how many, the write itself says.
    this.#reserve(4 + 3 * value.length + 1)
    const length = this.#buffer.write(value, this.length + 4)
    this.length = this.#buffer.writeUInt32LE(length, this.length) + length
    this.#buffer[this.length++] = 0
  }

  #bytes(value: Uint8Array): void {
    this.u32(value.length)
    this.#reserve(value.length)
    this.#buffer.set(value, this.length)
    this.length += value.length
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return
    const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + bytes))
    this.#buffer.copy(bigger, 0, 0, this.length)
    this.#buffer = bigger
  }
}

/** Of all programs: a start with a network encodes a dozen small ones. */
const writer = new Writer()
