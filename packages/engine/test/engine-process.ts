/**
 * An engine in a process of its own, to be killed. Commands come as JSON lines on stdin, `{id, call, arguments}`, and are
 * answered on stdout with `{id, result}` or `{id, error}`. The configuration is the first argument.
 */
import { createInterface } from 'node:readline'
import {
  createContainer,
  createExec,
  type EngineConfig,
  openEngine,
  removeContainer,
  SILENT,
  startContainer,
  startExec,
  stopContainer,
} from '@ctr/engine'
import { loadBusybox } from './support.ts'

const engine = await openEngine(JSON.parse(process.argv[2] ?? '') as EngineConfig, SILENT)
if (engine.images.find('busybox') === undefined) await loadBusybox(engine)

// biome-ignore lint: the callers are the tests beside this file
const calls: Record<string, (...args: any[]) => Promise<unknown>> = {
  create: (request) => createContainer(engine, request),
  start: (id) => startContainer(engine, id),
  stop: (id, options) => stopContainer(engine, id, options),
  remove: (id, options) => removeContainer(engine, id, options),
  execDetached: async (id, config) => {
    const exec = await createExec(engine, id, config)
    await startExec(engine, exec, { detach: true, tty: false })
    return exec
  },
}

process.stdout.write('ready\n')
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, call, args } = JSON.parse(line) as { id: number; call: string; args: unknown[] }
  const answer = (body: object): void => {
    process.stdout.write(`${JSON.stringify({ id, ...body })}\n`)
  }
  Promise.resolve(calls[call]?.(...args)).then(
    (result) => answer({ result: result ?? null }),
    (error: unknown) => answer({ error: String(error) }),
  )
})
