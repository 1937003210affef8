import { ContainerCreate, encodeReport } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { type Call, route } from '../../http/route.ts'
import { createRequest } from './create.ts'
import { Phases, runToEnd } from './run-to-end.ts'

const QUERY = {
  name: 'string',
  platform: 'string',
  replace: 'boolean',
  timing: 'boolean',
} as const

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
  await runToEnd(engine, call, {
    request: createRequest(body, query, apiMinor),
    isReplacing: query.replace === true,
    attached: attachedOf(body),
    apiMinor,
    phases: query.timing === true ? new Phases() : undefined,
    begin: ({ id, warnings }) => ({
      headers: { 'Ctr-Container-Id': id, 'Ctr-Warnings': JSON.stringify(warnings) },
    }),
    end: encodeReport,
  })
  return undefined
}

/** Which of its streams the client has. */
export function attachedOf(body: ContainerCreate): {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
} {
  return {
    stdin: body.AttachStdin === true,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
  }
}
