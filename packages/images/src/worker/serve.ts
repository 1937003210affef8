import { parentPort } from 'node:worker_threads'
import { isEngineError } from '@ctr/errdefs'
import { runUnpackJob, type UnpackedTar, type UnpackJob } from '../unpack/job.ts'

export interface WorkerRequest {
  id: number
  job: UnpackJob
}

/** What a worker answers to one job. Errors are plain data: classes do not survive the way between threads. */
export type WorkerReply =
  | { id: number; ok: true; result: UnpackedTar }
  | { id: number; ok: false; message: string; isInput: boolean }

const port = parentPort
if (port === null) throw new Error('this file runs as a worker thread')

/** What an archive can cause: it is not the daemon's fault. */
const INPUT_ERRORS = new Set(['TarError', 'RangeError'])
const INPUT_CODES =
  /^(?:Z_|ZSTD_|ERR_ZSTD|ENAMETOOLONG|EINVAL|ENOTDIR|ENOENT|EEXIST|ELOOP|EMLINK|EFBIG|EPERM|EISDIR)/

// Several jobs at once: one that waits for its bytes does not keep the others from running.
port.on('message', (request: WorkerRequest) => {
  const { id } = request
  void runUnpackJob(request.job).then(
    (result) => port.postMessage({ id, ok: true, result } satisfies WorkerReply),
    (error: unknown) => port.postMessage(toReply(id, error)),
  )
})

function toReply(id: number, error: unknown): WorkerReply {
  if (!(error instanceof Error)) return { id, ok: false, message: String(error), isInput: false }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const isInput =
    INPUT_ERRORS.has(error.name) ||
    INPUT_CODES.test(code) ||
    isEngineError(error, 'INVALID_ARGUMENT')
  return { id, ok: false, message: error.message, isInput }
}
