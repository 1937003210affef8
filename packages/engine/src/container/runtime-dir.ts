import { lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { EngineError, isErrno } from '@ctr/errdefs'
import { findShim } from '@ctr/shim'
import type { EngineConfig } from '../config.ts'
import { isTmpfs, removeTree } from '../remove-tree.ts'

/** Half an id: sun_path of a socket below it takes 108 bytes only. unix(7) */
const NAME_LENGTH = 24

export function containersRuntimeDir(config: EngineConfig): string {
  return `${config.execRoot}/c`
}

export function execsRuntimeDir(config: EngineConfig): string {
  return `${config.execRoot}/x`
}

/** `hosts` and its like, which are bound into containers: their mountinfo shows the path, where tools look for the id. */
export function containerFilesDir(execRoot: string, id: string): string {
  return `${containersFilesDir(execRoot)}/${id}`
}

export function containersFilesDir(execRoot: string): string {
  return `${execRoot}/containers`
}

/** Where every overlay is mounted, each in its own mount namespace: one empty directory for all. */
export function rootfsMountpoint({ config }: { readonly config: EngineConfig }): string {
  return `${config.execRoot}/rootfs`
}

/** At the start of the engine, and when somebody has cleared the exec root (of a tmpfs, say) below it. */
export function makeRuntimeRoots(config: EngineConfig): void {
  // First: the exec root itself is passed through by mapped users.
  mkdirSync(rootfsMountpoint({ config }), { recursive: true, mode: 0o711 })
  for (const path of [containersRuntimeDir(config), execsRuntimeDir(config)]) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }
}

/** What the shim of a container keeps while it lives: socket, pid, exit record. */
export function containerRuntimeDir(config: EngineConfig, id: string): string {
  return `${containersRuntimeDir(config)}/${id.slice(0, NAME_LENGTH)}`
}

export function execRuntimeDir(config: EngineConfig, id: string): string {
  return `${execsRuntimeDir(config)}/${id.slice(0, NAME_LENGTH)}`
}

/**
 * For a start, in the queue of the container or exec: makes the directory; something else that is there (of a start that
 * went wrong, or put there by somebody) is removed, unless a shim lives in it: CONFLICT.
 */
export async function makeRuntimeDir(config: EngineConfig, path: string): Promise<void> {
  try {
    mkdirSync(path, { mode: 0o700 })
    return
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOENT')) throw error
    if (isErrno(error, 'ENOENT')) makeRuntimeRoots(config)
  }
  const isDirectory = lstatSync(path, { throwIfNoEntry: false })?.isDirectory()
  const shim = isDirectory === true ? findShim(path) : undefined
  if (shim !== undefined) {
    throw new EngineError(
      'CONFLICT',
      `process ${shim.pid}, the shim of an earlier start, still runs`,
    )
  }
  await rm(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
}

/** True if `name` is what the directory of this id is called. */
export function isRuntimeDirOf(name: string, id: string): boolean {
  return id.startsWith(name) && name.length === NAME_LENGTH
}

/** After the end. All that a shim leaves there is its record of the exit. */
export async function vacateRuntimeDir(path: string): Promise<void> {
  try {
    unlinkSync(`${path}/exit`)
    if (isTmpfs(path)) {
      rmdirSync(path)
      return
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR')) throw error
  }
  await removeTree(path)
}
