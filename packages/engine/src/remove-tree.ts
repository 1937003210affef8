import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'

/** So few files are removed faster than a thread of the pool could be told to. */
const AT_ONCE = 48
/** A directory of more bytes may have so many entries that reading them takes a while. */
const DIRECTORY_BYTES = 8 * 1024

/** Removes a directory and all below it, if it is there: at once when it holds little, else off the main thread. */
export async function removeTree(path: string): Promise<void> {
  if (!removeSmall(path, { left: AT_ONCE })) await rm(path, { recursive: true, force: true })
}

/** False when there was too much, or something in the way; what has gone is gone. Never follows a symlink. */
function removeSmall(path: string, budget: { left: number }): boolean {
  try {
    if (lstatSync(path).size > DIRECTORY_BYTES) return false
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (budget.left-- === 0) return false
      const child = join(path, entry.name)
      if (!entry.isDirectory()) unlinkSync(child)
      else if (!removeSmall(child, budget)) return false
    }
    rmdirSync(path)
    return true
  } catch (error) {
    return isErrno(error, 'ENOENT')
  }
}
