import type { ContainerState } from '@ctr/api'
import { attachContainer, inspectContainer, waitContainer } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { checkDetachKeys, detachKeys } from '../container/detach-keys.ts'
import { proxySignals } from '../container/proxy-signals.ts'
import { resizeSession } from '../container/resize-session.ts'
import { openSession } from '../stream/session.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  aliases: ['ctr container attach', 'ctr attach'],
  flags: [
    {
      name: 'detach-keys',
      kind: 'string',
      help: 'Override the key sequence for detaching a container',
    },
    { name: 'no-stdin', kind: 'bool', help: 'Do not attach STDIN' },
    {
      name: 'sig-proxy',
      kind: 'bool',
      help: 'Proxy all received signals to the process',
      default: 'true',
    },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'Join a shell again; leave it with Ctrl-P Ctrl-Q', command: 'ctr attach web' },
    { text: 'Watch only', command: 'ctr attach --no-stdin web' },
  ],
  async run(context, { flags, args }) {
    checkDetachKeys(flags.optional('detach-keys'))
    const { client } = context
    const {
      Id: id,
      Config: config,
      State: state,
    } = await inspectContainer(client, args[0] as string)
    checkState(state)
    const hasTty = config.Tty === true
    const stdin = !flags.bool('no-stdin') && config.OpenStdin === true
    if (stdin && hasTty && !stdinIsTerminal())
      throw new ExitError(1, 'the input device is not a TTY')
    const [stream, waiting] = await Promise.all([
      attachContainer(client, id, { stdin, stdout: true, stderr: true }),
      waitContainer(client, id),
    ])
    const isProxied = flags.boolOr('sig-proxy', true) && !hasTty
    const stopProxy = isProxied ? proxySignals(client, id) : () => {}
    const session = openSession({
      stream,
      hasTty,
      stdin,
      exitOnSignals: !isProxied,
      detachKeys: detachKeys(context, flags.optional('detach-keys')),
      resize: resizeSession(client, id),
    })
    session.sendSize()
    const end = await session.finished
    stopProxy()
    if (end === 'detached') throw new ExitError(1, 'read escape sequence')
    return (await waiting.result).StatusCode
  },
}

function checkState(state: ContainerState): void {
  if (!state.Running)
    throw new ExitError(1, 'You cannot attach to a stopped container, start it first')
  if (state.Paused)
    throw new ExitError(1, 'You cannot attach to a paused container, unpause it first')
  if (state.Restarting) {
    throw new ExitError(1, 'You cannot attach to a restarting container, wait until it is running')
  }
}
