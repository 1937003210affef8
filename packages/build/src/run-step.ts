import { type ContainerConfig, FrameDecoder, type HostConfig, STDERR } from '@ctr/api'
import {
  attachContainer,
  createContainer,
  type Engine,
  keepContainer,
  removeContainer,
  startContainer,
  waitContainer,
} from '@ctr/engine'
import { type ImageExecConfig, shortId } from '@ctr/oci'
import type { HereDocument } from './dockerfile/here-document.ts'
import { SCRIPTS } from './dockerfile/instruction.ts'
import { storeDocument } from './document-source.ts'
import type { BuildOutput, BuildRequest } from './request.ts'

export interface RunStep {
  readonly imageId: string
  readonly config: ImageExecConfig
  /** What runs. */
  readonly words: readonly string[]
  /** Build arguments: of this run, not of the image. */
  readonly args: readonly string[]
  /** What the command is, if it is a here-document. */
  readonly script?: HereDocument
}

/** The command of a step has failed: docker's text, and its status for `docker build`. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  readonly code: number

  constructor(words: readonly string[], code: number) {
    super(`The command '${words.join(' ')}' returned a non-zero code: ${code}`)
    this.code = code
  }
}

/**
 * Runs the command of a step in a container and has `keep` take what it has changed. The container goes with the step, and with the daemon: what a kill leaves
 * is removed at the next start.
 */
export async function runStep(
  engine: Engine,
  step: RunStep,
  request: BuildRequest,
  output: BuildOutput,
  keep: (upperDir: string) => Promise<string>,
): Promise<string> {
  const { signal } = request
  signal.throwIfAborted()
  await using scripts = await placeScript(engine, step)
  const { id } = await createContainer(engine, {
    config: containerConfig(step),
    hostConfig: {
      ...request.hostConfig,
      ...scripts.hostConfig,
      LogConfig: { Type: 'none', Config: {} },
    },
    isOfBuild: true,
  })
  let isDone = false
  try {
    output.text(` ---> Running in ${shortId(id)}\n`)
    const code = await runToEnd(engine, id, output, signal)
    if (code !== 0) throw new StepFailed(step.words, code)
    const image = await keep(engine.containers.get(id).upperDir)
    isDone = true
    return image
  } finally {
    const isWanted = isDone ? !request.removes : !request.removesAlways && !signal.aborted
    if (isWanted) keepContainer(engine, id)
    else {
      await removeContainer(engine, id, { force: true, volumes: true })
      output.text(`Removing intermediate container ${shortId(id)}\n`)
    }
  }
}

/** Where the container sees it, and can change nothing. */
async function placeScript(
  engine: Engine,
  { script }: RunStep,
): Promise<AsyncDisposable & { readonly hostConfig: HostConfig }> {
  if (script === undefined) return { hostConfig: {}, [Symbol.asyncDispose]: async () => undefined }
  const { aside } = await storeDocument(engine, script, 0o755)
  const mount = { Type: 'bind', Source: aside.directory, Target: SCRIPTS, ReadOnly: true } as const
  return {
    hostConfig: { Mounts: [mount] },
    [Symbol.asyncDispose]: () => aside[Symbol.asyncDispose](),
  }
}

/** No entrypoint, no health check; what the image has besides. */
function containerConfig({ config, imageId, words, args }: RunStep): ContainerConfig {
  const { User, WorkingDir, Shell } = config
  return {
    ...(User === undefined ? {} : { User }),
    ...(WorkingDir === undefined ? {} : { WorkingDir }),
    ...(Shell == null ? {} : { Shell }),
    Image: imageId,
    Cmd: [...words],
    Entrypoint: [''],
    Env: [...(config.Env ?? []), ...args],
    Healthcheck: { Test: ['NONE'] },
  }
}

async function runToEnd(
  engine: Engine,
  id: string,
  output: BuildOutput,
  signal: AbortSignal,
): Promise<number> {
  // Before the start: neither output nor exit can be missed.
  const ending = waitContainer(engine, id, 'next-exit', signal)
  ending.catch(() => undefined)
  const streams = { stdin: false, stdout: true, stderr: true, logs: false, stream: true }
  const session = await attachContainer(engine, id, streams)
  try {
    await startContainer(engine, id)
    const stream = await session.stream
    if (stream !== undefined) {
      const stop = (): void => void stream.destroy()
      signal.addEventListener('abort', stop, { once: true })
      try {
        await show(stream as AsyncIterable<Buffer>, output)
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        signal.removeEventListener('abort', stop)
      }
    }
    return (await ending).exitCode
  } finally {
    session.close()
  }
}

async function show(stream: AsyncIterable<Buffer>, output: BuildOutput): Promise<void> {
  const decoder = new FrameDecoder()
  const texts = { out: new TextDecoder(), err: new TextDecoder() }
  for await (const chunk of stream) {
    for (const { stream: kind, payload } of decoder.push(chunk)) {
      const isError = kind === STDERR
      const text = (isError ? texts.err : texts.out).decode(payload, { stream: true })
      if (text === '') continue
      if (isError) output.errors(text)
      else output.text(text)
    }
    await output.ready()
  }
}
