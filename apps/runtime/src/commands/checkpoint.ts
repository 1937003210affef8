import type { Command } from '../command.ts'
import { unavailable, wrongState } from '../errors.ts'
import { readRecord } from '../record.ts'
import { containerStatus } from '../status.ts'

/** The container goes on as if nothing had been asked. */
export const command: Command = {
  summary: 'checkpoint a running container (not supported yet)',
  usage: '<container-id>',
  flags: [
    { names: ['image-path'], kind: 'text', help: 'path for saving criu image files' },
    { names: ['work-path'], kind: 'text', help: 'path for saving work files and logs' },
    { names: ['leave-running'], kind: 'bool', help: 'leave the process running' },
    { names: ['tcp-established'], kind: 'bool', help: 'allow open tcp connections' },
    { names: ['ext-unix-sk'], kind: 'bool', help: 'allow external unix sockets' },
    { names: ['shell-job'], kind: 'bool', help: 'allow shell jobs' },
    { names: ['file-locks'], kind: 'bool', help: 'handle file locks, for safety' },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: (context, { args }) => {
    const record = readRecord(context.root, args[0] ?? '')
    const status = containerStatus(context.root, record)
    if (status === 'stopped' || status === 'created') {
      throw wrongState(`Container cannot be checkpointed in ${status} state`)
    }
    throw unavailable('checkpoint is not supported yet; the container keeps running')
  },
}
