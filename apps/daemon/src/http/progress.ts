import { once } from 'node:events'
import type { ProgressMessage } from '@ctr/api'
import { StepFailed } from '@ctr/build'
import { errorAnswer } from './error-answer.ts'
import type { Call } from './route.ts'

/**
 * Docker's progress streams: concatenated JSON objects. The headers go with the first message, so that what fails
 * before (an unknown name, a broken archive) still has a status; after it an error is a message, too.
 */
export async function serveProgress(
  call: Pick<Call, 'openOutput'>,
  work: (
    send: (message: ProgressMessage) => void,
    /** The client has read enough for more to be sent: for whoever sends much. */
    ready: () => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  let output: ReturnType<Call['openOutput']> | undefined
  // Messages are few; a client that does not read them stops nothing.
  const send = (message: ProgressMessage): void => {
    output ??= call.openOutput('application/json')
    output.then(
      (stream) => stream.destroyed || stream.write(`${JSON.stringify(message)}\r\n`),
      () => undefined,
    )
  }
  const ready = async (): Promise<void> => {
    const stream = await output
    if (stream === undefined || stream.destroyed || !stream.writableNeedDrain) return
    const waiting = new AbortController()
    const { signal } = waiting
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })])
    waiting.abort()
  }
  try {
    await work(send, ready)
  } catch (error) {
    if (output === undefined) throw error
    const { message } = errorAnswer(error)
    send({ errorDetail: { ...codeOf(error), message }, error: message })
  }
  output ??= call.openOutput('application/json')
  ;(await output).end()
}

/** `docker build` exits with the status of the command that failed. */
function codeOf(error: unknown): { code?: number } {
  return error instanceof StepFailed ? { code: error.code } : {}
}
