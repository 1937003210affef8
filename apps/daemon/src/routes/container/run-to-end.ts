import type { Duplex } from 'node:stream'
import { type RunReport, STDERR, STDOUT } from '@ctr/api'
import {
  type AttachSession,
  attachContainer,
  createContainer,
  type Engine,
  replaceContainer,
  startContainer,
  waitContainer,
} from '@ctr/engine'
import { errorAnswer } from '../../http/error-answer.ts'
import { farewell } from '../../http/farewell.ts'
import { pump } from '../../http/pump.ts'
import type { Call } from '../../http/route.ts'
import { MULTIPLEXED_STREAM } from '../../http/stdio.ts'
import type { AnswerHeaders } from '../../http/stream.ts'
import type { CreateRequest } from './create.ts'
import { waitResponse } from './wait.ts'

/** Create, attach, wait and start, in the words of one request. */
export interface WholeRun {
  readonly request: CreateRequest
  /** A container of the same name goes first. */
  readonly isReplacing: boolean
  readonly attached: {
    readonly stdin: boolean
    readonly stdout: boolean
    readonly stderr: boolean
  }
  readonly apiMinor: number
  readonly phases?: Phases | undefined
  /** The container exists: headers of the answer, and what is sent before its output. */
  readonly begin: (created: Created) => {
    readonly headers: AnswerHeaders
    readonly prologue?: Buffer | undefined
  }
  /** What is sent after its output. */
  readonly end: (report: RunReport) => Buffer
}

export interface Created {
  readonly id: string
  readonly warnings: readonly string[]
}

/** Long enough to undo a start that failed. */
const REMOVAL_TIMEOUT_MS = 10_000

/** Refusals are those of `createContainer`. What fails later is in the report. Not with a terminal. */
export async function runToEnd(
  engine: Engine,
  call: Pick<Call, 'signal' | 'takeOver'>,
  run: WholeRun,
): Promise<void> {
  const { phases, attached, apiMinor } = run
  phases?.mark('request')
  const onPhase = phases && ((name: string) => phases.mark(name))
  const request = { ...run.request, isStarted: true, onPhase }
  const create = run.isReplacing ? replaceContainer : createContainer
  const created = await create(engine, request)
  const { id } = created
  // Before the start: neither output nor exit can be missed.
  const isRemoved = request.hostConfig.AutoRemove === true
  const ending = waitContainer(engine, id, isRemoved ? 'removed' : 'next-exit', call.signal)
  ending.catch(() => undefined)
  phases?.mark('record')
  if (isRemoved) phases?.markEnd('exit', waitContainer(engine, id, 'next-exit', call.signal))
  phases?.markEnd(isRemoved ? 'removal' : 'exit', ending)
  const { headers, prologue } = run.begin(created)
  const client = await call.takeOver(MULTIPLEXED_STREAM, headers)
  if (prologue !== undefined) client.write(prologue)
  // Not before all output has gone: its first byte is one of the phases.
  const end = async (): Promise<Buffer> => {
    const { exitCode, error } = await ending
    const times = phases && { Phases: phases.all }
    return run.end({ Exit: waitResponse(exitCode, error, apiMinor), ...times })
  }
  let session: AttachSession
  try {
    session = await attachContainer(engine, id, { logs: false, stream: true, ...attached })
    client.once('close', () => session.close())
    await startContainer(engine, id, { onPhase })
  } catch (error) {
    if (isRemoved) await settled(ending)
    farewell(client, run.end(failureReport(error)))
    return
  }
  const process = await session.stream
  if (process === undefined) farewell(client, await end())
  else {
    if (phases !== undefined) onFirstOutput(client, () => phases.mark('first byte'))
    await pump({ client, process, stdin: attached.stdin, epilogue: end })
  }
}

/** A listener for data would have it take another way than without one. */
function onFirstOutput(client: Duplex, call: () => void): void {
  const write = client.write.bind(client)
  client.write = ((chunk: Buffer) => {
    client.write = write
    if (chunk[0] === STDOUT || chunk[0] === STDERR) call()
    return write(chunk)
  }) as Duplex['write']
}

/** What the failed part would have been answered with, had it been a request. */
export function failureReport(error: unknown): RunReport {
  const { status, message } = errorAnswer(error)
  return { Failure: { Status: status, Message: message } }
}

/** What was over when. */
export class Phases {
  readonly all: { Name: string; AtUs: number }[] = []

  mark(name: string): void {
    const atMs = performance.timeOrigin + performance.now()
    this.all.push({ Name: name, AtUs: Math.round(atMs * 1000) })
  }

  markEnd(name: string, end: Promise<unknown>): void {
    end.then(
      () => this.mark(name),
      () => undefined,
    )
  }
}

/** The removal that follows a failure is over, or takes too long to wait for. */
async function settled(ending: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, REMOVAL_TIMEOUT_MS)
  await Promise.race([ending.catch(() => undefined), promise])
  clearTimeout(timer)
}
