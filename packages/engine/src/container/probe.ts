import { rename } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '@ctr/errdefs'
import { connectShim, type ExitRecord, readExitRecord, type ShimConnection } from '@ctr/shim'

/** What has become of a process whose shim this engine did not start itself. */
export type Probe =
  | { readonly kind: 'running'; readonly connection: ShimConnection }
  | { readonly kind: 'ended'; readonly record: ExitRecord }
  /** Neither a shim nor a record: it never ran, or its shim was killed. */
  | { readonly kind: 'lost' }

const START_POLL_MS = 20
/** For a start that was under way when its engine was killed. */
const START_DEADLINE_MS = 30_000
const SIGKILL = 9

/** Settles when the shim answers or is known to be gone, and never if it is stopped: the caller has the deadline. */
export async function probeRuntimeDir(runtimeDir: string): Promise<Probe> {
  const connection = await connectIfAlive(runtimeDir)
  if (connection !== undefined) return await started(runtimeDir, connection)
  // From here on no shim can begin to listen in it: it checks the path after the bind.
  const grave = `${runtimeDir}.gone`
  try {
    await rename(runtimeDir, grave)
  } catch (error) {
    // ENOTEMPTY: an engine was killed after this rename; what is in there is older than what is here.
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY')) throw error
  }
  const late = await connectIfAlive(grave)
  if (late !== undefined) return await started(grave, late)
  const record = (await readExitRecord(grave)) ?? (await readExitRecord(runtimeDir))
  return record === undefined ? { kind: 'lost' } : { kind: 'ended', record }
}

/** Waits for the end of a start that is under way. */
async function started(runtimeDir: string, first: ShimConnection): Promise<Probe> {
  const deadline = performance.now() + START_DEADLINE_MS
  for (let connection: ShimConnection | undefined = first; connection !== undefined; ) {
    if (connection.startedAtNs !== 0n) return { kind: 'running', connection }
    if (performance.now() > deadline) await connection.signal(SIGKILL).catch(() => undefined)
    connection.close()
    await delay(START_POLL_MS)
    connection = await connectIfAlive(runtimeDir)
  }
  const record = await readExitRecord(runtimeDir)
  return record === undefined ? { kind: 'lost' } : { kind: 'ended', record }
}

async function connectIfAlive(runtimeDir: string): Promise<ShimConnection | undefined> {
  try {
    return await connectShim(runtimeDir)
  } catch (error) {
    const isGone = isErrno(error, 'ENOENT', 'ECONNREFUSED', 'ENOTDIR')
    if (isGone || (error instanceof Error && error.message === 'shim died')) return undefined
    throw error
  }
}
