import { type ExecConfig, encodeFrame, type RunReport, STDOUT } from '@ctr/api'
import { createExec, type Engine, type ExecSession, startExec, waitExec } from '@ctr/engine'
import { farewell } from '../../http/farewell.ts'
import { pump } from '../../http/pump.ts'
import type { Call } from '../../http/route.ts'
import { MULTIPLEXED_STREAM } from '../../http/stdio.ts'
import { failureReport } from '../container/run-to-end.ts'

/** Create, start and wait of an exec, in the words of one request. */
export interface WholeExec {
  readonly container: string
  readonly config: ExecConfig
  /** It is hung up if the client goes before; that is the end of what the client sends, so not with stdin. */
  readonly isHeld: boolean
  /** What is sent after its output. */
  readonly end: (report: RunReport) => Buffer
}

/** Refusals are those of `createExec`. What fails later is in the report. Not with a terminal. */
export async function runExecToEnd(
  engine: Engine,
  call: Pick<Call, 'signal' | 'takeOver'>,
  exec: WholeExec,
): Promise<void> {
  const { config, isHeld } = exec
  const id = await createExec(engine, exec.container, config)
  const ending = waitExec(engine, id, isHeld, call.signal)
  const end = ending.then((StatusCode) => exec.end({ Exit: { StatusCode } }))
  end.catch(() => undefined)
  let session: ExecSession | undefined
  let refusal: unknown
  try {
    session = await startExec(engine, id, { detach: false, tty: false })
  } catch (error) {
    refusal = error
  }
  const client = await call.takeOver(MULTIPLEXED_STREAM, { 'Ctr-Exec-Id': id })
  if (refusal !== undefined) return farewell(client, exec.end(failureReport(refusal)))
  if (isHeld) client.once('end', () => client.destroy())
  const process = await session?.stream
  const failure = await session?.failure
  if (process === undefined || failure !== undefined) {
    process?.destroy()
    // Where Docker writes the reason; the report has the code.
    if (failure !== undefined) {
      client.write(encodeFrame(STDOUT, Buffer.from(`${failure.message}\r\n`)))
    }
    farewell(client, await end)
    return
  }
  await pump({ client, process, stdin: config.AttachStdin === true, epilogue: () => end })
}
