import { ContainerCreate, encodeReport } from '@ctr/api'
import {
  attachContainer,
  createContainer,
  replaceContainer,
  startContainer,
  waitContainer,
} from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { errorAnswer } from '../../http/error-answer.ts'
import { farewell } from '../../http/farewell.ts'
import { pump } from '../../http/pump.ts'
import { type Call, route } from '../../http/route.ts'
import { MULTIPLEXED_STREAM } from '../../http/stdio.ts'
import { createRequest } from './create.ts'
import { waitResponse } from './wait.ts'

const QUERY = {
  name: 'string',
  platform: 'string',
  replace: 'boolean',
  timing: 'boolean',
} as const

/** Long enough to undo a start that failed. */
const REMOVAL_TIMEOUT_MS = 10_000

/**
 * Create, attach, wait and start in one request (HTTP upgrade to tcp), for who would ask for them one after the other.
 * Refusals are those of `create`. After that the container exists, as `Ctr-Container-Id` and `Ctr-Warnings` (percent-encoded
 * JSON) say; its output follows in Docker's frames, and after it one frame REPORT, with the times of its phases if `timing`.
 * Not with a terminal.
 */
export const runContainerRoute = route({
  method: 'POST',
  path: '/containers/run',
  summary: 'Create a container, attach to it, start it and wait for its end (HTTP upgrade to tcp)',
  takesConnection: true,
  query: QUERY,
  body: ContainerCreate,
  status: 200,
  handle: run,
})

async function run(
  { engine }: Context,
  call: Call<typeof QUERY, ContainerCreate>,
): Promise<undefined> {
  const { query, body, apiMinor } = call
  if (body.Tty === true) {
    throw new EngineError('INVALID_ARGUMENT', 'with a terminal: create, attach, wait and start')
  }
  const phases = query.timing === true ? new Phases() : undefined
  phases?.mark('request')
  const onPhase = phases && ((name: string) => phases.mark(name))
  const request = { ...createRequest(body, query, apiMinor), isStarted: true, onPhase }
  const create = query.replace === true ? replaceContainer : createContainer
  const { id, warnings } = await create(engine, request)
  // Before the start: neither output nor exit can be missed.
  const isRemoved = body.HostConfig?.AutoRemove === true
  const ending = waitContainer(engine, id, isRemoved ? 'removed' : 'next-exit', call.signal)
  ending.catch(() => undefined)
  phases?.mark('record')
  if (isRemoved) phases?.markEnd('exit', waitContainer(engine, id, 'next-exit', call.signal))
  phases?.markEnd(isRemoved ? 'removal' : 'exit', ending)
  const stdin = body.AttachStdin === true
  const session = await attachContainer(engine, id, {
    logs: false,
    stream: true,
    stdin,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
  })
  const client = await call.takeOver(MULTIPLEXED_STREAM, {
    'Ctr-Container-Id': id,
    'Ctr-Warnings': JSON.stringify(warnings),
  })
  client.once('close', () => session.close())
  const report = ending.then(({ exitCode, error }) =>
    encodeReport({
      Exit: waitResponse(exitCode, error, apiMinor),
      ...(phases && { Phases: phases.all }),
    }),
  )
  report.catch(() => undefined)
  try {
    await startContainer(engine, id, { onPhase })
  } catch (error) {
    if (isRemoved) await settled(ending)
    const { status, message } = errorAnswer(error)
    farewell(client, encodeReport({ Failure: { Status: status, Message: message } }))
    return undefined
  }
  const process = await session.stream
  if (process === undefined) farewell(client, await report)
  else await pump({ client, process, stdin, epilogue: report })
  return undefined
}

/** What was over when. */
class Phases {
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
