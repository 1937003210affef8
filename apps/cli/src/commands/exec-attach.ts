import { attachExec, inspectExec, resizeExec, waitExec } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { detachKeys, NO_KEYS } from '../container/detach-keys.ts'
import { openSession } from '../stream/session.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'

export const command: Command = {
  usage: '[OPTIONS] EXEC',
  summary: 'Attach local standard input, output, and error streams to a running exec',
  flags: [
    {
      name: 'detach-keys',
      kind: 'string',
      help: 'Override the key sequence for detaching a container',
    },
    { name: 'no-stdin', kind: 'bool', help: 'Do not attach STDIN' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'Join a process that was started by ctr exec', command: 'ctr exec attach 4f1c' },
  ],
  async run(context, { flags, args }) {
    const { client } = context
    const { ID: id, ProcessConfig, OpenStdin } = await inspectExec(client, args[0] as string)
    const hasTty = ProcessConfig.tty
    const stdin = !flags.bool('no-stdin') && (hasTty || OpenStdin)
    if (stdin && hasTty && !stdinIsTerminal())
      throw new ExitError(1, 'the input device is not a TTY')
    const stream = await attachExec(client, id, { stdin, stdout: true, stderr: true })
    const exitCode = waitExec(client, id)
    exitCode.catch(() => {
      // Awaited below, unless the user detaches.
    })
    const session = openSession({
      stream,
      hasTty,
      stdin,
      exitOnSignals: true,
      detachKeys: hasTty ? detachKeys(context, flags.optional('detach-keys')) : NO_KEYS,
      resize: (size) => resizeExec(client, id, size),
    })
    session.sendSize()
    if ((await session.finished) === 'detached') throw new ExitError(1, 'read escape sequence')
    return await exitCode
  },
}
