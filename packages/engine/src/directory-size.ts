import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'

/** Bytes of the files below a directory, each inode once; 0 if it is missing. What vanishes meanwhile does not count. */
export async function directorySize(path: string): Promise<number> {
  return await sizeBelow(path, new Set())
}

async function sizeBelow(path: string, seen: Set<string>): Promise<number> {
  let total = 0
  try {
    for await (const entry of await opendir(path)) {
      const child = join(path, entry.name)
      if (entry.isDirectory()) {
        total += await sizeBelow(child, seen)
        continue
      }
      const stats = await lstat(child)
      const inode = `${stats.dev}:${stats.ino}`
      if (stats.nlink > 1 && seen.has(inode)) continue
      seen.add(inode)
      total += stats.size
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  return total
}
