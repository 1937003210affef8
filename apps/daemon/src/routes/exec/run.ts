import { ExecConfig, encodeFrame, encodeReport, STDOUT } from '@ctr/api'
import { createExec, startExec, waitExec } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { farewell } from '../../http/farewell.ts'
import { pump } from '../../http/pump.ts'
import { type Call, route } from '../../http/route.ts'
import { MULTIPLEXED_STREAM } from '../../http/stdio.ts'

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
  const { body, query } = call
  if (body.Tty === true) {
    throw new EngineError('INVALID_ARGUMENT', 'with a terminal: create, start and wait')
  }
  if (query.hold && body.AttachStdin === true) {
    throw new EngineError('INVALID_ARGUMENT', 'to hold an exec with stdin: create, start and wait')
  }
  const id = await createExec(engine, call.id, body)
  const ending = waitExec(engine, id, query.hold, call.signal)
  const report = ending.then((StatusCode) => encodeReport({ Exit: { StatusCode } }))
  report.catch(() => undefined)
  const session = await startExec(engine, id, { detach: false, tty: false })
  const client = await call.takeOver(MULTIPLEXED_STREAM, { 'Ctr-Exec-Id': id })
  if (query.hold) client.once('end', () => client.destroy())
  const process = await session?.stream
  const failure = await session?.failure
  if (process === undefined || failure !== undefined) {
    process?.destroy()
    // Where Docker writes the reason; the report has the code.
    if (failure !== undefined) {
      client.write(encodeFrame(STDOUT, Buffer.from(`${failure.message}\r\n`)))
    }
    farewell(client, await report)
    return undefined
  }
  await pump({ client, process, stdin: body.AttachStdin === true, epilogue: report })
  return undefined
}
