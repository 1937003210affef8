import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache, flushCompileCache } from 'node:module'

const DIRECTORY = '/var/cache/ctr/node'
/** When the first requests have been served. */
const SAVE_AFTER_MS = 10_000

/**
 * Compiled code and stripped types of the last start are used again. Not in Node's default place: whoever makes
 * /tmp/node-compile-cache first decides what root runs. $NODE_COMPILE_CACHE, if set, is Node's own business and covers
 * this very file, too (bin/ctrd sets it).
 */
export function useCompileCache(): void {
  if (process.env['NODE_COMPILE_CACHE'] !== undefined || process.getuid?.() !== 0) return
  try {
    mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 })
    const { uid, mode } = lstatSync(DIRECTORY)
    if (uid === 0 && (mode & 0o170022) === 0o040000) enableCompileCache(DIRECTORY)
  } catch {
    // A read-only host: starts take longer.
  }
}

/** Where compiled code is, or would be. */
export function cacheDirectory(): string {
  return process.env['NODE_COMPILE_CACHE'] ?? DIRECTORY
}

/** Node writes it when it ends; a daemon that is killed has none then. */
export function saveCompileCache(): void {
  setTimeout(flushCompileCache, SAVE_AFTER_MS).unref()
}
