import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import type { Context } from './command.ts'
import { destroyContainer, killAndWait } from './destroy.ts'
import { wrongState } from './errors.ts'
import { runContainerHooks, runHostHooks } from './hooks.ts'
import { type ContainerRecord, fifoPath } from './record.ts'
import { containerStatus, ociState } from './status.ts'

/** Lets the user's program run: startContainer hooks, the byte at the gate, poststart hooks. */
export async function startContainer(context: Context, record: ContainerRecord): Promise<void> {
  const status = containerStatus(context.root, record)
  if (status === 'stopped') throw wrongState('cannot start a container that has stopped')
  if (status === 'running') throw wrongState('cannot start an already running container')
  if (status === 'paused') throw wrongState('cannot start a container in the paused state')
  const { hooks } = record.spec
  try {
    await runContainerHooks('startContainer', {
      root: context.root,
      record,
      state: ociState(record, 'created'),
      isBeforePivot: false,
      log: context.log,
    })
    openGate(fifoPath(context.root, record.id))
    await runHostHooks('poststart', hooks, ociState(record, 'running'))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw wrongState('cannot start an already running container')
    if (isErrno(error, 'ENXIO')) throw wrongState('cannot start a container that has stopped')
    // A hook that fails ends the container. runtime-spec runtime.md#lifecycle
    await killAndWait(record)
    await destroyContainer(context, record)
    throw error
  }
}

/** Of two starts at once, one removes the FIFO; ENXIO: nobody waits any more. */
function openGate(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    unlinkSync(path)
    writeSync(fd, '0')
  } finally {
    closeSync(fd)
  }
}
