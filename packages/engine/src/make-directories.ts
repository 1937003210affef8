import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '@ctr/errdefs'

/**
 * As `mkdir -p`, for a path that a user names; gives the first directory that was made. Node's own `recursive` never ends, and
 * its thread spins, where a directory is there and ENOENT is said of a new one in it (/proc). EEXIST: a file is there; else
 * the errno of mkdir(2), with the `path` that it is about.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    return (await makeOne(path, mode)) ? path : undefined
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error
  }
  const first = await makeDirectories(dirname(path), mode)
  const isLastMade = await makeOne(path, mode)
  return first ?? (isLastMade ? path : undefined)
}

/** False: it is there. */
async function makeOne(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !(await isDirectory(path))) throw error
    return false
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false // a link that leads nowhere
  }
}
