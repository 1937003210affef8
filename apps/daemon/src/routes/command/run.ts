import {
  ContainerCreate,
  decode,
  ExecConfig,
  encodeEnd,
  encodeFrame,
  type RunReport,
  STDERR,
  STDOUT,
} from '@ctr/api'
import { createContainer, type Engine, replaceContainer, startContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import {
  daemonErrorText,
  type End,
  type ExecCommand,
  type RunCommand,
  readCommandLine,
  runFailureEnd,
  Timeline,
  waitEnd,
} from '@ctr/options'
import type { Context } from '../../context.ts'
import { MAX_API_MINOR } from '../../http/api-version.ts'
import { farewell } from '../../http/farewell.ts'
import { type Call, route } from '../../http/route.ts'
import { MULTIPLEXED_STREAM } from '../../http/stdio.ts'
import { createRequest } from '../container/create.ts'
import { attachedOf } from '../container/run.ts'
import { failureReport, Phases, runToEnd } from '../container/run-to-end.ts'
import { runExecToEnd } from '../exec/run-to-end.ts'
import { readWords } from './words.ts'

/**
 * Does `run` or `exec` of `ctr` as typed (HTTP upgrade to tcp): the body is its arguments, from the command's name on, NUL behind
 * each. Any answer but 101 says that nothing was done, and that the client is to do it by itself: for words that are wrong, for
 * what only it can do, and for what was refused. After 101 come Docker's frames, all that the command prints, and then one frame
 * EXIT. `Ctr-Signals-To` is the container that gets the client's signals.
 */
export const runCommandRoute = route({
  method: 'POST',
  path: '/commands',
  summary: 'Do a command of ctr as it was typed (HTTP upgrade to tcp)',
  takesStream: true,
  takesConnection: true,
  status: 200,
  handle: run,
})

/** Made once: an error notes where it was made, which takes longer than the rest. */
const NEEDS_CLIENT = new EngineError('NOT_IMPLEMENTED', 'this needs the client')

async function run({ engine }: Context, call: Call): Promise<undefined> {
  // Which a web page cannot ask for.
  if (call.headers.upgrade?.toLowerCase() !== 'tcp') {
    throw new EngineError('INVALID_ARGUMENT', 'a command needs an upgrade to tcp')
  }
  const command = readCommandLine(await readWords(call.input))
  if (command === undefined) throw NEEDS_CLIENT
  if (command.kind === 'exec') await runExecCommand(engine, call, command)
  else if (command.isDetached) await runDetached(engine, call, command)
  else await runAttached(engine, call, command)
  return undefined
}

async function runExecCommand(engine: Engine, call: Call, command: ExecCommand): Promise<void> {
  const { container, isHeld } = command
  const config = decode(ExecConfig, command.config)
  await runExecToEnd(engine, call, {
    container,
    config,
    isHeld,
    end: ({ Exit, Failure }) =>
      encodeEnd(
        Exit === undefined
          ? { status: 1, text: daemonErrorText(Failure?.Message ?? '') }
          : { status: Exit.StatusCode, text: '' },
      ),
  })
}

async function runAttached(engine: Engine, call: Call, command: RunCommand): Promise<void> {
  const { request, body } = requestOf(command)
  const phases = command.isTimed ? new Phases() : undefined
  await runToEnd(engine, call, {
    request,
    isReplacing: command.request.replace,
    attached: attachedOf(body),
    apiMinor: MAX_API_MINOR,
    phases,
    begin: ({ id, warnings }) => ({
      headers: command.isProxied ? { 'Ctr-Signals-To': id } : {},
      prologue: warningLines(warnings),
    }),
    end: (report) => {
      const end = endOf(report, command.path)
      const isTold = phases !== undefined && report.Exit !== undefined
      return encodeEnd(isTold ? withTimes(end, call, phases) : end)
    },
  })
}

/** From the start of the program that asks, which `Ctr-Started` tells with the time when it asked (Unix times in microseconds), as only one of this machine can. */
function withTimes(end: End, call: Call, phases: Phases): End {
  const [, started, asked] = /^(\d{16}) (\d{16})$/.exec(String(call.headers['ctr-started'])) ?? []
  const [first] = phases.all
  const timeline = new Timeline(Number(started ?? first?.AtUs) / 1000)
  if (asked !== undefined) timeline.markAt('CLI start', Number(asked))
  for (const { Name, AtUs } of phases.all) timeline.markAt(Name, AtUs)
  const times = timeline.toString().trimEnd()
  return { ...end, text: end.text === '' ? times : `${end.text}\n${times}` }
}

/** The id comes before the start, as docker's: a container that cannot start is still there, under this id. */
async function runDetached(engine: Engine, call: Call, command: RunCommand): Promise<void> {
  const { request } = requestOf(command)
  const create = command.request.replace ? replaceContainer : createContainer
  const { id, warnings } = await create(engine, request)
  const client = await call.takeOver(MULTIPLEXED_STREAM)
  const before = warningLines(warnings) ?? Buffer.alloc(0)
  client.write(Buffer.concat([before, encodeFrame(STDOUT, Buffer.from(`${id}\n`))]))
  let end: End = { status: 0, text: '' }
  try {
    await startContainer(engine, id)
  } catch (error) {
    end = endOf(failureReport(error), command.path)
  }
  farewell(client, encodeEnd(end))
}

function requestOf({ request: { name, platform, body } }: RunCommand): {
  readonly request: ReturnType<typeof createRequest>
  readonly body: ContainerCreate
} {
  const document = decode(ContainerCreate, body)
  return { request: createRequest(document, { name, platform }, MAX_API_MINOR), body: document }
}

function warningLines(warnings: readonly string[]): Buffer | undefined {
  if (warnings.length === 0) return undefined
  const text = warnings.map((warning) => `WARNING: ${warning}\n`).join('')
  return encodeFrame(STDERR, Buffer.from(text))
}

function endOf({ Exit, Failure }: RunReport, path: string): End {
  return Exit === undefined ? runFailureEnd(Failure?.Message ?? '', path) : waitEnd(Exit)
}
