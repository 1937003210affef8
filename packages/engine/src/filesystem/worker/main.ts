import { enableCompileCache } from 'node:module'

// Before anything else is loaded: the cache halves the time to the first job.
enableCompileCache()
await import('./serve.ts')
