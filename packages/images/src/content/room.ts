import { statfs } from 'node:fs/promises'
import { EngineError, isErrno } from '@ctr/errdefs'

/**
 * What an archive leaves of the disk: a layer of a megabyte may unpack to a terabyte, and until that fails containers and the
 * engine must be able to write. Enough for logs and small files; little enough that nobody misses it, on a small disk, too.
 */
const KEPT_BYTES = 32 << 20
const KEPT_PART = 32
/** Seldom enough to cost nothing. packages/images/native/room.c has the same numbers. */
const LOOK_BYTES = 4 << 20

export const NO_ROOM = 'no space left on device (the rest of it is kept for containers)'

/** Of the disk that the file `fd` is on. */
export class Room {
  readonly #fd: number
  #since = 0

  constructor(fd: number) {
    this.#fd = fd
  }

  /** Before these are written. INTERNAL where too little would be left. */
  async take(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) this.#since += chunk.length
    if (this.#since < LOOK_BYTES) return
    const { bavail, blocks, bsize } = await statfs(`/proc/self/fd/${this.#fd}`)
    const kept = Math.min(KEPT_BYTES, (blocks * bsize) / KEPT_PART)
    // Some have no size: a tmpfs without a limit.
    if (blocks > 0 && bavail * bsize < kept + this.#since)
      throw new EngineError('INTERNAL', NO_ROOM, {
        cause: Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }),
      })
    this.#since = 0
  }
}

/** The disk is full, or as full as it may get. */
export function isNoRoom(error: unknown): boolean {
  return (
    isErrno(error, 'ENOSPC', 'EDQUOT') ||
    (error instanceof EngineError && isErrno(error.cause, 'ENOSPC'))
  )
}
