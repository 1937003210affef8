import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { EngineError, PROCESS_LIMIT } from '@ctr/errdefs'

/**
 * A thread that runs `url` and gets the directory of this process's compile cache, if it has one, as `workerData.compileCache`.
 * UNAVAILABLE: no thread can be made.
 */
export function startThread(url: URL, options: WorkerOptions = {}): Worker {
  const cache = getCompileCacheDir() // ends with a directory for this version of Node
  const compileCache = cache === undefined ? undefined : dirname(cache)
  try {
    return new Worker(url, { ...options, workerData: { compileCache } })
  } catch (cause) {
    if (!(cause instanceof Error) || cause.message !== 'EAGAIN') throw cause
    throw new EngineError('UNAVAILABLE', `cannot start a thread: ${PROCESS_LIMIT}`, { cause })
  }
}
