import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/** A thread that runs `url` and gets the directory of this process's compile cache, if it has one, as `workerData.compileCache`. */
export function startThread(url: URL, options: WorkerOptions = {}): Worker {
  const cache = getCompileCacheDir() // ends with a directory for this version of Node
  const compileCache = cache === undefined ? undefined : dirname(cache)
  return new Worker(url, { ...options, workerData: { compileCache } })
}
