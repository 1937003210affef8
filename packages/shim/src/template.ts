import { encodeHeader, encodeProgram, START_MAGIC } from './encode.ts'
import type { Op, Program } from './ops.ts'

/** Bytes, or the place of an operation that each run has for itself. */
type Part = Buffer | OwnPlace

interface OwnPlace {
  readonly index: number
  readonly beside: boolean
}

interface Place {
  readonly offset: number
  readonly length: number
}

const HEADER_BYTES = 12
/** Beginnings of an id that stand for it, longest first: the whole, that of a runtime directory, that of a host name. */
const LENGTHS = [64, 24, 12]
const SHORTEST = 12

/**
 * A start message with gaps: programs of containers that differ in nothing but their ids and a few operations of their own. What is in
 * the gaps has the same length each time.
 */
export class ProgramTemplate {
  readonly #parts: readonly Part[]
  readonly #places: readonly (readonly Place[])[]
  readonly #ownCount: number

  /** Undefined if `own`, in its order, is not part of the program. */
  static of(program: Program, id: string, own: readonly Op[]): ProgramTemplate | undefined {
    const parts: Part[] = []
    let run: Op[] = []
    let next = 0
    const endRun = (): void => {
      if (run.length > 0) parts.push(Buffer.from(encodeProgram(run)))
      run = []
    }
    for (const op of program) {
      if (!isSame(op, own[next])) {
        run.push(op)
        continue
      }
      endRun()
      parts.push({ index: next++, beside: op.beside === true })
    }
    endRun()
    return next === own.length ? new ProgramTemplate(parts, id, own.length) : undefined
  }

  private constructor(parts: readonly Part[], id: string, ownCount: number) {
    this.#parts = parts
    this.#places = parts.map((part) => ('index' in part ? [] : placesOf(part, id)))
    this.#ownCount = ownCount
  }

  /** The start message for another id. Undefined: that run has more or fewer operations of its own. */
  fill(id: string, own: readonly Op[]): Buffer | undefined {
    if (own.length !== this.#ownCount) return undefined
    const filled = this.#parts.map((part) => ('index' in part ? encodeOwn(own, part) : part))
    const length = filled.reduce((sum, part) => sum + part.length, 0)
    const message = Buffer.allocUnsafe(HEADER_BYTES + length)
    encodeHeader(START_MAGIC, length).copy(message)
    let at = HEADER_BYTES
    for (const [index, part] of filled.entries()) {
      message.set(part, at)
      for (const { offset, length } of this.#places[index] ?? []) {
        message.write(id, at + offset, length, 'latin1')
      }
      at += part.length
    }
    return message
  }
}

/** A plan takes the operation as it is, or says of it that it is `beside`. */
function isSame(op: Op, own: Op | undefined): boolean {
  if (own === undefined) return false
  const { beside: _, ...fields } = op
  const entries = Object.entries(fields)
  return (
    entries.length === Object.keys(own).length &&
    entries.every(([name, value]) => own[name as keyof Op] === value)
  )
}

/** Of operations that many containers have: who makes them freezes them. */
const alike = { beside: new WeakMap<Op, Uint8Array>(), inOrder: new WeakMap<Op, Uint8Array>() }

function encodeOwn(own: readonly Op[], { index, beside }: OwnPlace): Uint8Array {
  const op = own[index]
  if (op === undefined) throw new RangeError(`no operation ${index} of its own`)
  const known = beside ? alike.beside : alike.inOrder
  const encoded = known.get(op) ?? encodeProgram([beside ? { ...op, beside } : op])
  if (Object.isFrozen(op)) known.set(op, encoded)
  return encoded
}

function placesOf(bytes: Buffer, id: string): Place[] {
  const places: Place[] = []
  const shortest = id.slice(0, SHORTEST)
  for (let at = bytes.indexOf(shortest); at !== -1; at = bytes.indexOf(shortest, at)) {
    const length =
      LENGTHS.find((l) => bytes.toString('latin1', at, at + l) === id.slice(0, l)) ?? SHORTEST
    places.push({ offset: at, length })
    at += length
  }
  return places
}
