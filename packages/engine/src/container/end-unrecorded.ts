import { setTimeout as delay } from 'node:timers/promises'
import { killShim, type ShimConnection } from '@ctr/shim'

const SIGKILL = 9
const END_TIMEOUT_MS = 10_000

/** Ends a process whose start could not be recorded: nobody would know of it. Its shim clears up behind it. */
export async function endUnrecorded(connection: ShimConnection, runtimeDir: string): Promise<void> {
  const ended = connection.exited.then(
    () => true,
    () => true,
  )
  // It may have ended by itself.
  await connection.signal(SIGKILL).catch(() => undefined)
  const late = delay(END_TIMEOUT_MS, false, { ref: false })
  if (!(await Promise.race([ended, late]))) killShim(runtimeDir)
  connection.close()
}
