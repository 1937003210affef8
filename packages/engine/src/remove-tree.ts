import {
  lstatSync,
  readdirSync,
  rmdir as rmdirCallback,
  rmdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isErrno } from '@ctr/errdefs'

/** So few files are removed faster than a thread of the pool could be told to. */
const AT_ONCE = 48
/** A directory of more bytes may have so many entries that reading them takes a while. */
const DIRECTORY_BYTES = 8 * 1024

/** The callback's costs half as much as that of node:fs/promises. */
const rmdir = promisify(rmdirCallback)

/**
 * Removes a directory and all below it, if it is there. Little goes at once, but for its directories: on ext4 an rmdir can
 * wait for the disk, for milliseconds when it is busy (unlink does not), so that is never for the main thread. A tmpfs
 * (runtime directories) has no disk, and an rmdir there costs a tenth of what a thread does.
 */
export async function removeTree(path: string): Promise<void> {
  const emptied: string[] = []
  if (!emptySmall(path, { left: AT_ONCE }, emptied)) {
    await rm(path, { recursive: true, force: true })
    return
  }
  try {
    if (isTmpfs(path)) for (const directory of emptied) rmdirSync(directory)
    else for (const directory of emptied) await rmdir(directory)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) await rm(path, { recursive: true, force: true })
  }
}

const TMPFS_MAGIC = 0x01021994

/** ENOENT. */
export function isTmpfs(path: string): boolean {
  return statfsSync(path).type === TMPFS_MAGIC
}

/**
 * Unlinks all that is no directory; `emptied` gets the directories, the innermost first. False when there was too much, or
 * something in the way; what has gone is gone. Never follows a symlink.
 */
function emptySmall(path: string, budget: { left: number }, emptied: string[]): boolean {
  try {
    if (lstatSync(path).size > DIRECTORY_BYTES) return false
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (budget.left-- === 0) return false
      const child = join(path, entry.name)
      if (!entry.isDirectory()) unlinkSync(child)
      else if (!emptySmall(child, budget, emptied)) return false
    }
    emptied.push(path)
    return true
  } catch (error) {
    return isErrno(error, 'ENOENT')
  }
}
