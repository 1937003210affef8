import { ExecConfig, encodeReport } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { type Call, route } from '../../http/route.ts'
import { runExecToEnd } from './run-to-end.ts'

const QUERY = { hold: 'boolean' } as const

/**
 * Create, start and wait of an exec in one request (HTTP upgrade to tcp). Refusals are those of the three. After that its
 * output follows in Docker's frames, and after it one frame REPORT. With `hold` it is hung up if the client goes before: that
 * is the end of what it sends, so not with stdin, whose end says nothing. Not with a terminal.
 */
export const runExecRoute = route({
  method: 'POST',
  path: '/containers/:id/exec/run',
  summary: 'Create an exec, start it, join its streams and wait for its end (HTTP upgrade to tcp)',
  takesConnection: true,
  query: QUERY,
  body: ExecConfig,
  status: 200,
  handle: run,
})

async function run({ engine }: Context, call: Call<typeof QUERY, ExecConfig>): Promise<undefined> {
  const { body: config, query } = call
  if (config.Tty === true) {
    throw new EngineError('INVALID_ARGUMENT', 'with a terminal: create, start and wait')
  }
  const isHeld = query.hold === true
  if (isHeld && config.AttachStdin === true) {
    throw new EngineError('INVALID_ARGUMENT', 'to hold an exec with stdin: create, start and wait')
  }
  await runExecToEnd(engine, call, { container: call.id, config, isHeld, end: encodeReport })
  return undefined
}
