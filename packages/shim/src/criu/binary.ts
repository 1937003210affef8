import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { EngineError } from '@ctr/errdefs'

export interface Criu {
  readonly path: string
  readonly version: string
}

const MINIMUM_MAJOR = 4
const VERSION_TIMEOUT_MS = 10_000
const ADVICE =
  'checkpoint and restore need criu 4.0 or newer: install it (package "criu") and put it on PATH, or name it'

/**
 * The criu to use: a path, or a name that is looked up in PATH. `option` is how the user names another one.
 * UNAVAILABLE, with what to do, if it is missing or too old.
 */
export async function findCriu(name: string, option: string): Promise<Criu> {
  const path = name.includes('/') ? name : lookUp(name)
  if (path === undefined) throw unavailable(`${name} is not in PATH: ${ADVICE} with ${option}`)
  const version = await versionOf(path, option)
  if (Number(version.split('.')[0]) >= MINIMUM_MAJOR) return { path, version }
  throw unavailable(`${path} is criu ${version}, which is too old: ${ADVICE} with ${option}`)
}

/** What to tell with a failed restore: versions before 4.2 restore nothing on Linux 6.18, and say little about it. */
export function restoreHint(
  { version }: Criu,
  kernel: { readonly major: number; readonly minor: number },
): string {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < 4 || (major === 4 && minor < 2)
  const isNewKernel = kernel.major > 6 || (kernel.major === 6 && kernel.minor >= 18)
  if (!isOld || !isNewKernel) return ''
  return ` (criu ${version} cannot restore on Linux ${kernel.major}.${kernel.minor}: use criu 4.2 or newer)`
}

function lookUp(name: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '')
  return directories.map((dir) => join(dir, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function versionOf(path: string, option: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
      env: criuEnvironment(),
    })
    const version = /^Version:\s*(\d+(?:\.\d+)*)/m.exec(stdout)?.[1]
    if (version !== undefined) return version
    throw new Error('it does not tell its version')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw unavailable(`cannot use ${path}: ${reason.trim()}: ${ADVICE} with ${option}`, cause)
  }
}

/** criu runs tar for the contents of tmpfs. Nothing else of ours is for it. */
export function criuEnvironment(): { PATH: string } {
  const system = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH: process.env['PATH'] ?? system }
}

function unavailable(message: string, cause?: unknown): EngineError {
  return new EngineError('UNAVAILABLE', message, { cause })
}
