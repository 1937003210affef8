import { enableCompileCache } from 'node:module'
import { workerData } from 'node:worker_threads'

// Before anything else is loaded: it halves the time to the first job. Only the daemon's own: Node's default is a directory
// in /tmp, of whoever makes it first.
const { compileCache } = workerData as { readonly compileCache: string | undefined }
if (compileCache !== undefined) enableCompileCache(compileCache)
await import('./serve.ts')
