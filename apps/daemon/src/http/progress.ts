import type { ProgressMessage } from '@ctr/api'
import { errorAnswer } from './error-answer.ts'
import type { Call } from './route.ts'

/**
 * Docker's progress streams: concatenated JSON objects. The headers go with the first message, so that what fails
 * before (an unknown name, a broken archive) still has a status; after it an error is a message, too.
 */
export async function serveProgress(
  call: Pick<Call, 'openOutput'>,
  work: (send: (message: ProgressMessage) => void) => Promise<void>,
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
  try {
    await work(send)
  } catch (error) {
    if (output === undefined) throw error
    const { message } = errorAnswer(error)
    send({ errorDetail: { message }, error: message })
  }
  output ??= call.openOutput('application/json')
  ;(await output).end()
}
