/** What `bin/ctrd` runs: the daemon as one script (build.ts), with its code from the last time. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cacheDirectory, useCompileCache } from '../compile-cache.ts'
import { CachedScript } from './code-cache.ts'

/** By build.ts: the script beside this file, which is named for what is in it. */
declare const DAEMON_SCRIPT: string

/** The first requests have been served, and an end later than this is one of a daemon that has worked. */
const SAVE_AFTER_MS = 10_000

// For add-ons and threads.
useCompileCache()
const directory = import.meta.dirname
const filename = join(directory, DAEMON_SCRIPT)
const script = new CachedScript(readFileSync(filename, 'latin1'), {
  filename,
  name: DAEMON_SCRIPT,
  directory: cacheDirectory(),
})
setTimeout(() => {
  if (!script.hasCode) script.save()
  process.on('exit', () => script.save())
}, SAVE_AFTER_MS).unref()
const run = script.run() as (...parameters: unknown[]) => void
const module = { exports: {} }
const place = pathToFileURL(filename).href
run(module.exports, createRequire(filename), module, filename, directory, place)
