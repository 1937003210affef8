/**
 * An engine in a process of its own, to be killed. Commands come as JSON lines on stdin, `{id, call, arguments}`, and are
 * answered on stdout with `{id, result}` or `{id, error}`. The configuration is the first argument.
 */
import { createInterface } from 'node:readline'
import {
  type CreateRequest,
  createContainer,
  createExec,
  type EngineConfig,
  openEngine,
  type RemoveOptions,
  removeContainer,
  SILENT,
  type StopOptions,
  startContainer,
  startExec,
  stopContainer,
} from '@ctr/engine'
import { loadBusybox } from './support.ts'

const engine = await openEngine(JSON.parse(process.argv[2] ?? '') as EngineConfig, SILENT)
if (engine.images.find('busybox') === undefined) await loadBusybox(engine)

/** `args` are those of the engine's function, without the engine: the callers are the tests beside this file. */
async function run(call: string, args: unknown[]): Promise<unknown> {
  const [first, second] = args
  const id = first as string
  switch (call) {
    case 'create':
      return await createContainer(engine, first as CreateRequest)
    case 'start':
      return await startContainer(engine, id)
    case 'stop':
      return await stopContainer(engine, id, second as StopOptions)
    case 'remove':
      return await removeContainer(engine, id, second as RemoveOptions)
    case 'execDetached': {
      const exec = await createExec(engine, id, second as Parameters<typeof createExec>[2])
      await startExec(engine, exec, { detach: true, tty: false })
      return exec
    }
    default:
      throw new Error(`no call ${call}`)
  }
}

process.stdout.write('ready\n')
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, call, args } = JSON.parse(line) as { id: number; call: string; args: unknown[] }
  const answer = (body: object): void => {
    process.stdout.write(`${JSON.stringify({ id, ...body })}\n`)
  }
  run(call, args).then(
    (result) => answer({ result: result ?? null }),
    (error: unknown) => answer({ error: String(error) }),
  )
})
