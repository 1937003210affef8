import { join } from 'node:path'
import type { EngineConfig } from '../config.ts'

/** Half an id: sun_path of a socket below it takes 108 bytes only. unix(7) */
const NAME_LENGTH = 24

export function containersRuntimeDir(config: EngineConfig): string {
  return join(config.execRoot, 'c')
}

export function execsRuntimeDir(config: EngineConfig): string {
  return join(config.execRoot, 'x')
}

/** What the shim of a container keeps while it lives: socket, pid, exit record. */
export function containerRuntimeDir(config: EngineConfig, id: string): string {
  return join(containersRuntimeDir(config), id.slice(0, NAME_LENGTH))
}

export function execRuntimeDir(config: EngineConfig, id: string): string {
  return join(execsRuntimeDir(config), id.slice(0, NAME_LENGTH))
}

/** True if `name` is what the directory of this id is called. */
export function isRuntimeDirOf(name: string, id: string): boolean {
  return id.startsWith(name) && name.length === NAME_LENGTH
}
