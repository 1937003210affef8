import { attachContainer, inspectContainer, startContainer, waitContainer } from '@ctr/client'
import type { Parsed } from '@ctr/options'
import { type Command, type Context, ExitError } from '../command.ts'
import { checkDetachKeys, detachKeys } from '../container/detach-keys.ts'
import { proxySignals } from '../container/proxy-signals.ts'
import { resizeSession } from '../container/resize-session.ts'
import { printError, printLine } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { openSession } from '../stream/session.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  aliases: ['ctr container start', 'ctr start'],
  flags: [
    { name: 'attach', short: 'a', kind: 'bool', help: 'Attach STDOUT/STDERR and forward signals' },
    { name: 'checkpoint', kind: 'string', help: 'Restore from this checkpoint' },
    {
      name: 'checkpoint-dir',
      kind: 'string',
      help: 'Use a custom checkpoint storage directory',
    },
    {
      name: 'detach-keys',
      kind: 'string',
      help: 'Override the key sequence for detaching a container',
    },
    { name: 'interactive', short: 'i', kind: 'bool', help: "Attach container's STDIN" },
  ],
  args: { min: 1 },
  examples: [
    { text: 'In the background', command: 'ctr start web' },
    { text: 'With its terminal', command: 'ctr start -ai shell' },
  ],
  async run(context, input) {
    const { flags, args } = input
    checkDetachKeys(flags.optional('detach-keys'))
    if (flags.optional('checkpoint') !== undefined && args.length > 1)
      throw new ExitError(1, 'you cannot restore multiple containers at once')
    if (!flags.bool('attach') && !flags.bool('interactive')) return startAll(context, input)
    if (args.length > 1)
      throw new ExitError(1, 'you cannot start and attach multiple containers at once')
    return startAttached(context, input)
  },
}

async function startAll({ client }: Context, { flags, args }: Parsed): Promise<number> {
  const failed: string[] = []
  let cause: unknown
  for (const ref of args) {
    try {
      await startContainer(client, ref, checkpointOf(flags))
      printLine(ref)
    } catch (error) {
      printError(errorText(error))
      failed.push(ref)
      cause ??= error
    }
  }
  if (failed.length > 0)
    throw new ExitError(1, `Error: failed to start containers: ${failed.join(', ')}`, cause)
  return 0
}

function checkpointOf(flags: Parsed['flags']): { checkpoint?: string; checkpointDir?: string } {
  const checkpoint = flags.optional('checkpoint')
  const checkpointDir = flags.optional('checkpoint-dir')
  return {
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(checkpointDir === undefined ? {} : { checkpointDir }),
  }
}

async function startAttached(context: Context, { flags, args }: Parsed): Promise<number> {
  const { client } = context
  const ref = args[0] as string
  const { Id: id, Config: config, HostConfig: hostConfig } = await inspectContainer(client, ref)
  const hasTty = config.Tty === true
  const stdin = flags.bool('interactive') && config.OpenStdin === true
  if (stdin && hasTty && !stdinIsTerminal()) throw new ExitError(1, 'the input device is not a TTY')
  const [stream, waiting] = await Promise.all([
    attachContainer(client, id, { stdin, stdout: true, stderr: true }),
    waitContainer(client, id, {
      condition: hostConfig.AutoRemove === true ? 'removed' : 'next-exit',
    }),
  ])
  const stopProxy = hasTty ? () => {} : proxySignals(client, id)
  const session = openSession({
    stream,
    hasTty,
    stdin,
    exitOnSignals: hasTty,
    detachKeys: detachKeys(context, flags.optional('detach-keys')),
    resize: resizeSession(client, id),
  })
  try {
    await startContainer(client, id, checkpointOf(flags))
  } catch (error) {
    session.abandon()
    throw error
  }
  session.sendSize()
  const end = await session.finished
  stopProxy()
  return end === 'detached' ? 0 : (await waiting.result).StatusCode
}
