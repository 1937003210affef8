import {
  attachContainer,
  type ContainerRun,
  createContainer,
  inspectContainer,
  type RawStream,
  runContainer,
  startContainer,
  type Waiting,
  waitContainer,
} from '@ctr/client'
import { canRunAtOnce, type Parsed, RUN_FLAGS, Timeline } from '@ctr/options'
import { type Command, type Context, ExitError } from '../command.ts'
import { type CreatedContainer, createFromFlags } from '../container/create-from-flags.ts'
import { checkDetachKeys, detachKeys, NO_KEYS } from '../container/detach-keys.ts'
import { proxySignals } from '../container/proxy-signals.ts'
import { resizeSession } from '../container/resize-session.ts'
import { joinRun } from '../container/run-at-once.ts'
import { waitStatus } from '../container/wait-status.ts'
import { printError, printLine, writeErr } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { openSession } from '../stream/session.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  aliases: ['ctr container run', 'ctr run'],
  flags: RUN_FLAGS,
  args: { min: 1 },
  interspersed: false,
  isRun: true,
  examples: [
    { text: 'A shell; the container is removed at the end', command: 'ctr run -it --rm busybox' },
    {
      text: 'In the background, with a port and a limit',
      command: 'ctr run -d --name web -p 8080:80 -m 64m busybox httpd -f -p 80',
    },
    {
      text: 'A host directory, read-only',
      command: 'ctr run --rm -v /etc:/host:ro busybox ls /host',
    },
    {
      text: 'Binary data through a container',
      command: 'cat file | ctr run -i --rm busybox gzip > file.gz',
    },
    {
      text: 'The operations that would start it',
      command: 'ctr run --explain -m 64m busybox true',
    },
  ],
  run,
}

/** Long enough for a daemon under load to undo a start that failed. */
const REMOVAL_TIMEOUT_MS = 10_000

async function run(context: Context, input: Parsed): Promise<number> {
  const timeline = new Timeline()
  timeline.mark('CLI start')
  const { flags } = input
  const isDetached = flags.bool('detach')
  if (!isDetached) checkDetachKeys(flags.optional('detach-keys'))
  const isTimed = flags.bool('timing')
  // The clock of another machine says nothing here.
  const isHere = context.client.host.kind === 'unix'
  let joined: ContainerRun | undefined
  const created = await createFromFlags(context, input, {
    isDetached,
    beforeCreate: (body) => checkStreams(input, body.AttachStdin === true, isDetached),
    create: async (request) => {
      joined = canRunAtOnce(request.body, isDetached)
        ? await runContainer(context.client, { ...request, isTimed: isTimed && isHere })
        : undefined
      if (joined !== undefined) return joined.created
      // Attach, wait and start need connections of their own: open them while the container is created.
      context.client.warm(isDetached ? 1 : 3)
      return createContainer(context.client, request)
    },
  })
  if (created === undefined) return 0
  timeline.mark(joined === undefined ? 'create' : 'answer')
  const status = await startCreated(context, input, { created, joined, timeline })
  timeline.mark(endOf(isDetached, joined))
  if (isTimed) writeErr(timeline.toString())
  return status
}

/** What the daemon's report tells of the exit is more exact than its arrival here. */
function endOf(isDetached: boolean, joined: ContainerRun | undefined): string {
  if (joined !== undefined) return 'report'
  return isDetached ? 'start' : 'exit'
}

function startCreated(
  context: Context,
  input: Parsed,
  o: { created: CreatedContainer; joined: ContainerRun | undefined; timeline: Timeline },
): Promise<number> {
  const { created, joined, timeline } = o
  if (joined !== undefined) return joinRun(context, input, created, joined, timeline)
  if (input.flags.bool('detach')) return startDetached(context, created, input.flags.bool('wait'))
  return runAttached(context, input, created, timeline)
}

function checkStreams({ flags }: Parsed, attachesStdin: boolean, isDetached: boolean): void {
  if (isDetached) {
    if (!flags.isSet('attach')) return
    throw new ExitError(1, 'conflicting options: cannot specify both --attach and --detach')
  }
  if (attachesStdin && flags.bool('tty') && !stdinIsTerminal()) {
    throw new ExitError(1, 'the input device is not a TTY')
  }
}

async function startDetached(
  context: Context,
  { id }: CreatedContainer,
  isWaiting: boolean,
): Promise<number> {
  // Before the start, as docker: a container that cannot start is still there, under this id.
  printLine(id)
  await startContainer(context.client, id)
  if (isWaiting) await untilHealthy(context, id)
  return 0
}

/** Nothing to wait for without a health check. */
async function untilHealthy({ client }: Context, id: string): Promise<void> {
  const { State } = await inspectContainer(client, id)
  if (State.Health === undefined && State.Running) return
  const done = new AbortController()
  const { signal } = done
  const [healthy, unhealthy] = await Promise.all([
    waitContainer(client, id, { condition: 'healthy', signal }),
    waitContainer(client, id, { condition: 'unhealthy', signal }),
  ])
  const failure = await Promise.race([
    healthy.result.then(({ Error: error }) => error?.Message),
    unhealthy.result.then(({ Error: error }) => error?.Message ?? `container ${id} is unhealthy`),
  ])
  done.abort()
  if (failure !== undefined) throw new ExitError(1, failure)
}

/** Attached and waited for before the start: neither output nor exit can be missed. */
async function runAttached(
  context: Context,
  { flags }: Parsed,
  created: CreatedContainer,
  timeline: Timeline,
): Promise<number> {
  const { client } = context
  const { id, body } = created
  const [stream, waiting] = await Promise.all([
    attach(context, created),
    waitContainer(client, id, {
      condition: body.HostConfig.AutoRemove === true ? 'removed' : 'next-exit',
    }),
  ])
  timeline.mark('attach and wait')
  if (stream === undefined) printLine(id)
  const isProxied = flags.boolOr('sig-proxy', true)
  const stopProxy = isProxied && stream !== undefined ? proxySignals(client, id) : () => {}
  const session =
    stream &&
    openSession({
      stream,
      hasTty: body.Tty === true,
      stdin: body.AttachStdin === true,
      exitOnSignals: !isProxied,
      detachKeys: body.Tty === true ? detachKeys(context, flags.optional('detach-keys')) : NO_KEYS,
      resize: resizeSession(client, id),
      onFirstByte: () => timeline.mark('first byte'),
    })
  try {
    await startContainer(client, id, { detachKeys: flags.optional('detach-keys') })
  } catch (error) {
    session?.abandon()
    if (body.HostConfig.AutoRemove === true) await settled(waiting, REMOVAL_TIMEOUT_MS)
    throw error
  }
  timeline.mark('start')
  session?.sendSize()
  const end = await session?.finished
  stopProxy()
  return end === 'detached' ? 0 : exitStatus(waiting)
}

function attach(context: Context, { id, body }: CreatedContainer): Promise<RawStream | undefined> {
  const stdin = body.AttachStdin === true
  const stdout = body.AttachStdout === true
  const stderr = body.AttachStderr === true
  if (!stdin && !stdout && !stderr) return Promise.resolve(undefined)
  return attachContainer(context.client, id, { stdin, stdout, stderr })
}

async function exitStatus(waiting: Waiting): Promise<number> {
  try {
    return waitStatus(await waiting.result)
  } catch (error) {
    printError(`error waiting for container: ${errorText(error)}`)
  }
  return 125
}

async function settled(waiting: Waiting, timeoutMs: number): Promise<void> {
  const timeout = new Promise((resolve) => setTimeout(resolve, timeoutMs).unref())
  await Promise.race([waiting.result.catch(() => {}), timeout])
}
