import { setTimeout as delay } from 'node:timers/promises'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 2000

/**
 * For what has happened and cannot be refused, such as the end of a process: `record` is tried until the database takes it,
 * for a disk that is full now may have room later. At once for the first time, so what needs no waiting is done on return.
 * Gives up when the engine ends: the next one finds the same on the host.
 */
export async function untilRecorded(
  engine: Pick<Engine, 'log' | 'isClosing'>,
  id: string,
  record: () => Promise<void> | void,
): Promise<void> {
  for (let waitMs = FIRST_DELAY_MS; ; waitMs = Math.min(waitMs * 2, MAX_DELAY_MS)) {
    try {
      return await record()
    } catch (err) {
      if (!isStorageError(err) || engine.isClosing()) throw err
      engine.log.error({ id, err, waitMs }, 'the database does not take what has happened')
    }
    await delay(waitMs, undefined, { ref: false })
    if (engine.isClosing()) return
  }
}
