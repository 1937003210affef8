import { parentPort } from 'node:worker_threads'
import { EngineError } from '@ctr/errdefs'
import { countBuffer } from '../../young-buffers.ts'
import { layerChanges } from '../layer-changes.ts'
import { packPath } from '../pack.ts'
import { openPath } from '../path.ts'
import { unpackInto } from '../unpack/unpack.ts'
import { Control, type Reply, type Request, type Task } from './protocol.ts'

const port = parentPort
if (port === null) throw new Error('this file runs as a worker thread')

const post = (reply: Reply): void => port.postMessage(reply)

/** Pieces of the input that have arrived and wait for the job; the sender allows few. */
let input = newInput()

port.on('message', (request: Request) => {
  switch (request.type) {
    case 'task':
      input = newInput()
      void run(request.task, new Control(request.control), input)
      return
    case 'chunk':
      input.push(request.chunk)
      return
    case 'end':
      input.push(undefined)
      return
    case 'abort':
      input.fail()
  }
})

async function run(task: Task, control: Control, source: Input): Promise<void> {
  try {
    post({ type: 'done', ...(await execute(task, control, source)) })
  } catch (error) {
    post(toFailure(error))
  }
}

async function execute(
  task: Task,
  control: Control,
  source: Input,
): Promise<Pick<Extract<Reply, { type: 'done' }>, 'changes'>> {
  switch (task.kind) {
    case 'stat': {
      using opened = openPath(task.rootPath, task.path)
      post({ type: 'stat', stat: opened.stat })
      return {}
    }
    case 'pack':
      packPath(task, control, {
        stat: (stat) => post({ type: 'stat', stat }),
        chunk: (chunk) =>
          port?.postMessage({ type: 'chunk', chunk } satisfies Reply, [chunk.buffer]),
      })
      return {}
    case 'unpack':
      await unpackInto(task, control, source.read())
      return {}
    case 'changes':
      return { changes: layerChanges(task, control) }
  }
}

function toFailure(error: unknown): Reply {
  if (!(error instanceof Error)) {
    return { type: 'failed', code: 'INTERNAL', errno: '', message: String(error) }
  }
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const isInput = error.name === 'TarError' || /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(errno)
  const code = error instanceof EngineError ? error.code : isInput ? 'INVALID_ARGUMENT' : 'INTERNAL'
  return { type: 'failed', code, errno, message: error.message }
}

interface Input {
  push(chunk: Uint8Array | undefined): void
  fail(): void
  read(): AsyncGenerator<Buffer>
}

function newInput(): Input {
  const chunks: (Uint8Array | undefined)[] = []
  let isBroken = false
  let wake = Promise.withResolvers<void>()
  return {
    push: (chunk) => {
      chunks.push(chunk)
      wake.resolve()
    },
    fail: () => {
      isBroken = true
      wake.resolve()
    },
    async *read() {
      for (;;) {
        if (isBroken) throw new EngineError('CANCELLED', 'the upload broke off')
        if (chunks.length === 0) {
          await wake.promise
          wake = Promise.withResolvers()
          continue
        }
        const chunk = chunks.shift()
        if (chunk === undefined) return
        countBuffer(chunk.byteLength)
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        post({ type: 'taken' })
      }
    },
  }
}
