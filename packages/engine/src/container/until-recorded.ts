import { setTimeout as delay } from 'node:timers/promises'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 2000
/** A disk that has room again within this time is not worth a word. */
const LATE_MS = 700

/**
 * For what has happened and cannot be refused, such as the end of a process: `record` is tried until the database takes it,
 * for a disk that is full now may have room later. At once for the first time, so what needs no waiting is done on return.
 * Gives up when the engine ends: the next one finds the same on the host. `onLate` is told at each failure of a while: the disk
 * may never take it (read-only).
 */
export async function untilRecorded(
  engine: Pick<Engine, 'log' | 'isClosing'>,
  id: string,
  record: () => Promise<void> | void,
  onLate: (error: Error) => void = () => undefined,
): Promise<void> {
  let waitedMs = 0
  for (let waitMs = FIRST_DELAY_MS; ; waitMs = Math.min(waitMs * 2, MAX_DELAY_MS)) {
    try {
      return await record()
    } catch (err) {
      if (!isStorageError(err) || engine.isClosing()) throw err
      if (waitedMs >= LATE_MS) onLate(err as Error)
      engine.log.error({ id, err, waitMs }, 'the database does not take what has happened')
    }
    await delay(waitMs, undefined, { ref: false })
    waitedMs += waitMs
    if (engine.isClosing()) return
  }
}
