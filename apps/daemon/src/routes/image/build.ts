import type { ProgressMessage } from '@ctr/api'
import { type BuildOutput, build, type ContextSource, openContext } from '@ctr/build'
import { serveProgress } from '../../http/progress.ts'
import { type Call, route } from '../../http/route.ts'
import type { BuildFailure } from '../../metrics/build-counts.ts'
import { BUILD_QUERY, readBuildRequest } from './build-request.ts'

/** A `docker build` by the classic builder: the body is the context as a tar, plain or compressed; or `remote` names one. */
export const buildImageRoute = route({
  method: 'POST',
  path: '/build',
  summary: 'Build an image from a Dockerfile and its context (classic builder)',
  query: BUILD_QUERY,
  takesStream: true,
  status: 200,
  handle: async ({ engine, metrics }, call) => {
    const { query, headers, signal } = call
    const request = readBuildRequest(query, headers['x-registry-config'], signal)
    metrics?.builds.begin()
    let failure: BuildFailure | undefined = 'dockerfile_syntax_error'
    try {
      const source = sourceOf(call, query.remote)
      await using context = await openContext(engine, source, request.dockerfile, signal)
      failure = 'error_processing_commands_error'
      await serveProgress(call, async (send, ready) => {
        const held: ProgressMessage[] = []
        const sends = query.q ? (message: ProgressMessage): void => void held.push(message) : send
        try {
          const output = outputOf(sends, ready)
          const id = await build(engine, context.dockerfile, context.tree, request, output)
          failure = undefined
          if (query.q) send({ stream: `${id}\n` })
        } catch (error) {
          // What was quiet is the explanation.
          for (const message of held) send(message)
          throw error
        }
      })
    } finally {
      if (failure !== undefined) metrics?.builds.fail(signal.aborted ? 'build_canceled' : failure)
    }
    return undefined
  },
})

function sourceOf(call: Pick<Call, 'input'>, remote: string | undefined): ContextSource {
  if (remote !== undefined) return { kind: 'remote', address: remote }
  return { kind: 'archive', tar: call.input as AsyncIterable<Buffer> }
}

/** Docker's stream. What a step writes to stderr is red. */
function outputOf(
  send: (message: ProgressMessage) => void,
  ready: () => Promise<void>,
): BuildOutput {
  return {
    text: (text) => send({ stream: text }),
    errors: (text) => send({ stream: `\u001b[91m${text}\u001b[0m` }),
    ready,
    progress: send,
    image: (id) => send({ aux: { ID: id } }),
  }
}
