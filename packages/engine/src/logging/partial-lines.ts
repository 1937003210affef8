import { randomBytes } from 'node:crypto'
import type { LogRecord } from './format.ts'

/** Where a piece is in its line. moby api/types/backend PartialLogMetaData */
export interface Piece {
  /** The same for all pieces of a line. */
  readonly id: string
  /** From 1. */
  readonly ordinal: number
  readonly isLast: boolean
}

/** Counts the pieces of long lines, of both streams. One forwarder's: after a restart a line that was cut begins anew. */
export class PartialLines {
  readonly #open = new Map<LogRecord['stream'], { readonly id: string; ordinal: number }>()

  /** Undefined: the record is a whole line. */
  pieceOf({ stream, isPartial }: Pick<LogRecord, 'stream' | 'isPartial'>): Piece | undefined {
    const open = this.#open.get(stream)
    if (open === undefined && !isPartial) return undefined
    const line = open ?? { id: randomBytes(32).toString('hex'), ordinal: 0 }
    line.ordinal += 1
    if (isPartial) this.#open.set(stream, line)
    else this.#open.delete(stream)
    return { id: line.id, ordinal: line.ordinal, isLast: !isPartial }
  }
}
