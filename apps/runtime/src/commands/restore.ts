import { CRIU_FLAGS } from '../checkpoint-flags.ts'
import type { Command, Context, Input } from '../command.ts'
import { CREATE_FLAGS } from '../create.ts'
import { forwardSignals } from '../forward-signals.ts'
import { restoreContainer } from '../restore.ts'
import { follow } from './run.ts'

const SHARED = new Set(['bundle', 'console-socket', 'pid-file', 'no-pivot'])

export const command: Command = {
  summary: 'restore a container from a previous checkpoint',
  usage: '<container-id>',
  flags: [
    ...CREATE_FLAGS.filter(({ names }) => names.some((name) => SHARED.has(name))),
    ...CRIU_FLAGS,
    {
      names: ['lsm-profile'],
      kind: 'text',
      help: 'Specify an LSM profile to be used during restore in the form of TYPE:NAME.',
    },
    {
      names: ['lsm-mount-context'],
      kind: 'text',
      help: 'Specify an LSM mount context to be used during restore.',
    },
    { names: ['detach', 'd'], kind: 'bool', help: "detach from the container's process" },
    {
      names: ['no-subreaper'],
      kind: 'bool',
      help: 'disable the use of the subreaper used to reap reparented processes',
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: restore,
}

async function restore(context: Context, input: Input): Promise<number> {
  const isDetached = input.flags.bool('detach')
  const restored = await restoreContainer(context, input.args[0] ?? '', input, !isDetached)
  if (isDetached) return 0
  forwardSignals(restored.launch)
  return await follow(context, restored, false)
}
