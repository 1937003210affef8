import {
  chmodSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  type Stats,
} from 'node:fs'
import { copyFile, opendir, readlink, symlink } from 'node:fs/promises'
import { deviceNumbers, lgetxattr, llistxattr, lsetxattr, lutimes, mknod } from '@ctr/linux'

const S_IFMT = 0o170000

/**
 * Copies what is in the directory `source` into the directory `target`, and the directory's own owner, mode, times and
 * attributes: files of every kind, hard links among them, symlinks as they are. Nothing else may change `source`
 * meanwhile. Overwrites nothing: EEXIST.
 */
export async function copyTree(source: string, target: string): Promise<void> {
  await copyEntries(source, target, new Map())
  copyAttributes(source, target, lstatSync(`${source}/.`))
}

/** `links`: inode → first copy, for files with several names. */
async function copyEntries(
  source: string,
  target: string,
  links: Map<string, string>,
): Promise<void> {
  const directory = await opendir(source)
  for await (const { name } of directory) {
    const from = `${source}/${name}`
    const to = `${target}/${name}`
    const stats = lstatSync(from)
    const inode = `${stats.dev}:${stats.ino}`
    const first = links.get(inode)
    if (first !== undefined) {
      linkSync(first, to)
      continue
    }
    await copyEntry(from, to, stats, links)
    copyAttributes(from, to, stats)
    if (stats.nlink > 1 && !stats.isDirectory()) links.set(inode, to)
  }
}

async function copyEntry(
  from: string,
  to: string,
  stats: Stats,
  links: Map<string, string>,
): Promise<void> {
  if (stats.isDirectory()) {
    mkdirSync(to, { mode: 0o700 })
    await copyEntries(from, to, links)
    return
  }
  if (stats.isSymbolicLink()) {
    await symlink(await readlink(from, 'buffer'), to)
    return
  }
  if (stats.isFile()) {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    return
  }
  const { major, minor } = deviceNumbers(stats.rdev)
  mknod(to, stats.mode, stats.isFIFO() || stats.isSocket() ? 0 : major, minor)
}

/** Owner before mode: chown(2) clears the set-id bits. Times last. */
function copyAttributes(from: string, to: string, stats: Stats): void {
  lchownSync(to, stats.uid, stats.gid)
  for (const name of llistxattr(from)) {
    const text = name.toString()
    if (text.startsWith('trusted.overlay.')) continue
    const value = lgetxattr(from, name)
    if (value !== undefined) lsetxattr(to, name, value)
  }
  if (!stats.isSymbolicLink()) chmodSync(to, stats.mode & ~S_IFMT)
  const seconds = Math.floor(stats.mtimeMs / 1000)
  lutimes(to, seconds, Math.trunc((stats.mtimeMs % 1000) * 1e6))
}

/** True for a directory without entries. */
export async function isEmptyDirectory(path: string): Promise<boolean> {
  const directory = await opendir(path)
  try {
    return (await directory.read()) === null
  } finally {
    await directory.close()
  }
}
