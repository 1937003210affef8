import type { ExecConfig } from '@ctr/api'
import {
  type Client,
  createExec,
  holdExec,
  inspectContainer,
  inspectExec,
  keepExec,
  ResponseError,
  readRunReport,
  resizeExec,
  runExec,
  startExec,
  startExecDetached,
} from '@ctr/client'
import {
  canExecAtOnce,
  EXEC_FLAGS,
  type EXEC_FORMS,
  execRequest,
  type Parsed,
  startErrorStatus,
} from '@ctr/options'
import { type Command, type Context, ExitError } from '../command.ts'
import { checkDetachKeys, detachKeys, NO_KEYS } from '../container/detach-keys.ts'
import { printError } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { reportedSession } from '../stream/reported-session.ts'
import { openSession } from '../stream/session.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'
import { terminalSize } from '../terminal/size.ts'
import { thisMachine } from '../this-machine.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  aliases: ['ctr container exec', 'ctr exec'],
  flags: EXEC_FLAGS,
  args: { min: 2 },
  interspersed: false,
  forms: {
    ls: { load: () => import('./exec-ls.ts'), isMeant: isExecForm },
    attach: { load: () => import('./exec-attach.ts'), isMeant: isExecForm },
    kill: { load: () => import('./exec-kill.ts'), isMeant: isExecForm },
  } satisfies Record<(typeof EXEC_FORMS)[number], object>,
  examples: [
    { text: 'A shell in a running container', command: 'ctr exec -it web sh' },
    { text: 'A file out of it', command: 'ctr exec web cat /etc/hosts > hosts' },
    { text: 'What runs beside the main process of a container', command: 'ctr exec ls web' },
    { text: 'Join one of them', command: 'ctr exec attach 1f2e3d4c5b6a' },
    { text: 'Send it a signal', command: 'ctr exec kill --signal TERM 1f2e3d4c5b6a' },
  ],
  async run(context, input) {
    const { client } = context
    const config = execConfig(context, input)
    if (config.AttachStdin === true && config.Tty === true && !stdinIsTerminal()) {
      throw new ExitError(1, 'the input device is not a TTY')
    }
    const name = input.args[0] as string
    const hold = !input.flags.bool('keep')
    if (canExecAtOnce(config, hold)) {
      const status = await runAtOnce(context, name, { config, hold })
      if (status !== undefined) return status
    }
    // The streams take the first connection over; the exit code comes through another.
    if (config.Detach !== true) client.warm(2)
    const id = await createExec(client, name, config)
    let ended: Promise<number | undefined> | undefined
    try {
      if (config.Detach === true) {
        return await startDetached(client, id, config)
      }
      if (hold) ended = holdExec(client, id)
      ended?.catch(() => {
        // Awaited below, unless the exec could not be run.
      })
      await join(context, input, id, config)
    } catch (error) {
      if (error instanceof ExitError) throw error
      return execErrorStatus(error)
    }
    return (await ended) ?? (await inspectExec(client, id)).ExitCode ?? 0
  },
}

/** Why it could not be started is the daemon's error, not the command's status: 1, as in docker. */
async function startDetached(client: Client, id: string, { Tty }: ExecConfig): Promise<number> {
  try {
    await startExecDetached(client, id, { Tty: Tty === true })
    return 0
  } catch (error) {
    throw new ExitError(1, errorText(error), error)
  }
}

/**
 * `docker exec ls COMMAND` is for a container named ls: where there is one, the word is its name. Without a COMMAND it
 * cannot be meant.
 */
async function isExecForm({ client }: Context, args: readonly string[]): Promise<boolean> {
  const [word = '', next] = args
  if (next === undefined || next.startsWith('-')) return true
  try {
    const { Name } = await inspectContainer(client, word)
    return Name !== `/${word}`
  } catch (error) {
    if (error instanceof ResponseError && error.status === 404) return true
    throw error
  }
}

function execConfig({ environment }: Context, { flags, args }: Parsed): ExecConfig {
  checkDetachKeys(flags.optional('detach-keys'))
  const size = flags.bool('tty') ? terminalSize() : undefined
  const consoleSize = size && ([size.rows, size.columns] as const)
  return execRequest({ flags, args, machine: thisMachine(environment), consoleSize })
}

/** The exit status, undefined when the daemon has no such thing. */
async function runAtOnce(
  { client }: Context,
  name: string,
  o: { readonly config: ExecConfig; readonly hold: boolean },
): Promise<number | undefined> {
  const stream = await runExec(client, name, o)
  if (stream === undefined) return undefined
  const stdin = o.config.AttachStdin === true
  const report = await reportedSession({ stream, stdin, exitOnSignals: true })
  if (report !== undefined) return readRunReport(report).StatusCode
  printError('error waiting for the command: connection to the daemon lost')
  return 1
}

async function join(
  context: Context,
  { flags }: Parsed,
  id: string,
  config: ExecConfig,
): Promise<void> {
  const { client } = context
  const { Tty = false, AttachStdin = false, ConsoleSize } = config
  const stream = await startExec(client, id, {
    Tty,
    ...(ConsoleSize === undefined ? {} : { ConsoleSize }),
  })
  const session = openSession({
    stream,
    hasTty: Tty,
    stdin: AttachStdin,
    exitOnSignals: true,
    detachKeys: Tty ? detachKeys(context, flags.optional('detach-keys')) : NO_KEYS,
    resize: (size) => resizeExec(client, id, size),
  })
  session.sendSize()
  if ((await session.finished) !== 'detached') return
  await keepExec(client, id).catch(() => {
    // Docker's daemon has no such thing: there it goes on anyway.
  })
  throw new ExitError(1, 'read escape sequence')
}

/** 126 and 127 when the daemon's words say so. */
function execErrorStatus(error: unknown): number {
  printError(errorText(error))
  const status = error instanceof ResponseError ? startErrorStatus(error.message) : 1
  return status === 125 ? 1 : status
}
