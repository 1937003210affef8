import type { Command, Context, Input } from '../command.ts'
import { CREATE_FLAGS, type CreatedContainer, createContainer } from '../create.ts'
import { destroyContainer, killAndWait } from '../destroy.ts'
import { forwardSignals } from '../forward-signals.ts'
import { startContainer } from '../start.ts'

export const command: Command = {
  summary: 'create and run a container',
  usage: '<container-id>',
  flags: [
    ...CREATE_FLAGS,
    { names: ['detach', 'd'], kind: 'bool', help: "detach from the container's process" },
    { names: ['keep'], kind: 'bool', help: 'do not delete the container after it exits' },
    {
      names: ['no-subreaper'],
      kind: 'bool',
      help: 'disable the use of the subreaper used to reap reparented processes',
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  errorPrefix: 'runc run failed',
  run: runContainer,
}

async function runContainer(context: Context, input: Input): Promise<number> {
  const isDetached = input.flags.bool('detach')
  const created = await createContainer(context, input.args[0] ?? '', input, !isDetached)
  // Before the process can ask for one.
  if (!isDetached) forwardSignals(created.launch)
  try {
    await startContainer(context, created.record)
  } catch (error) {
    await killAndWait(created.record)
    await destroyContainer(context, created.record)
    throw error
  }
  if (isDetached) return 0
  await created.launch.next('started')
  return await follow(context, created, input.flags.bool('keep'))
}

/** To the end of a process that runs in the foreground. */
export async function follow(
  context: Context,
  { record, launch }: CreatedContainer,
  isKept: boolean,
): Promise<number> {
  const { status } = await launch.next('exit')
  if (!isKept) await destroyContainer(context, record)
  return status
}
