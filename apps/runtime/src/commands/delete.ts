import { isEngineError } from '@ctr/errdefs'
import type { Command, Context } from '../command.ts'
import { destroyContainer, killAndWait } from '../destroy.ts'
import { wrongState } from '../errors.ts'
import { type ContainerRecord, readRecord, removeRecord } from '../record.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary: 'delete any resources held by the container often used with detached container',
  usage: '<container-id>',
  flags: [
    {
      names: ['force', 'f'],
      kind: 'bool',
      help: 'forcibly deletes the container if it is still running (uses SIGKILL)',
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: async (context, { args, flags }) => {
    const id = args[0] ?? ''
    const record = find(context, id, flags.bool('force'))
    if (record === undefined) return 0
    const status = containerStatus(context.root, record)
    if (status !== 'stopped' && status !== 'created' && !flags.bool('force')) {
      throw wrongState(`cannot delete container ${id} that is not stopped: ${status}`)
    }
    if (status !== 'stopped') await killAndWait(record)
    await destroyContainer(context, record)
    return 0
  },
}

/** By force also the remains of a create that was killed. */
function find(context: Context, id: string, isForced: boolean): ContainerRecord | undefined {
  try {
    return readRecord(context.root, id)
  } catch (error) {
    if (!isForced || !isEngineError(error, 'NOT_FOUND')) throw error
    removeRecord(context.root, id)
    return undefined
  }
}
