import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import {
  chmod,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { extract, type Header, pack } from 'tar-stream'

/** The client's half of `cp`: a local path to a tar, and a tar to a local directory. */
export interface PackOptions {
  /** Name of the root entry; `.` for the content of a directory. */
  readonly name: string
  /** Applies to the path itself only. */
  readonly followLink: boolean
  readonly counter: { bytes: number }
}

/** Walks without following links. Sockets are left out: tar has no entry for them. */
export function packPath(path: string, options: PackOptions): AsyncIterable<Uint8Array> {
  const tar = pack()
  /** Names of files with several links, by inode. */
  const linked = new Map<string, string>()
  const add = async (file: string, name: string, isRoot: boolean): Promise<void> => {
    const info = isRoot && options.followLink ? await stat(file) : await lstat(file)
    const header = {
      name,
      mode: info.mode & 0o7777,
      uid: info.uid,
      gid: info.gid,
      mtime: info.mtime,
    }
    if (info.isDirectory()) {
      await entry({ ...header, name: `${name}/`, type: 'directory' })
      for (const child of await readdir(file))
        await add(join(file, child), `${name}/${child}`, false)
    } else if (info.isSymbolicLink()) {
      await entry({ ...header, type: 'symlink', linkname: await readlink(file) })
    } else if (info.isFIFO()) {
      await entry({ ...header, type: 'fifo' })
    } else if (info.isCharacterDevice() || info.isBlockDevice()) {
      const type = info.isBlockDevice() ? 'block-device' : 'character-device'
      await entry({ ...header, type, ...deviceNumbers(info.rdev) })
    } else if (info.isFile()) {
      const inode = `${info.dev} ${info.ino}`
      const other = info.nlink > 1 ? linked.get(inode) : undefined
      if (other !== undefined) return entry({ ...header, type: 'link', linkname: other })
      linked.set(inode, name)
      options.counter.bytes += info.size
      // A file that grows meanwhile must not break the archive.
      const content = info.size === 0 ? undefined : createReadStream(file, { end: info.size - 1 })
      const sink = tar.entry({ ...header, type: 'file', size: info.size })
      if (content === undefined) sink.end(Buffer.alloc(0))
      else await pipeline(content, sink)
    }
  }
  const entry = (header: Partial<Header> & { name: string }): Promise<void> =>
    new Promise((resolve, reject) => {
      tar.entry(header, (error) =>
        error === null || error === undefined ? resolve() : reject(error),
      )
    })
  add(path, options.name, true).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  return tar as AsyncIterable<Uint8Array>
}

export interface UnpackOptions {
  readonly directory: string
  /** Root entry of the tar, and the name it gets. `.` puts a directory's content into `directory` itself. */
  readonly from: string
  readonly to: string
  readonly keepOwner: boolean
}

/**
 * The container decides what is in the tar: nothing may be written outside of `directory`, neither by `..` nor through a
 * symbolic link that an earlier entry made. Returns the bytes of files.
 */
export async function unpackInto(
  source: AsyncIterable<Uint8Array>,
  options: UnpackOptions,
): Promise<number> {
  const reader = extract()
  const feeding = pipeline(source, reader)
  feeding.catch(() => {
    // Awaited below; when an entry is refused, that error is the one to report.
  })
  const directories: { path: string; header: Header }[] = []
  let bytes = 0
  for await (const item of reader) {
    const header: Header = item.header
    const path = targetPath(header.name, options)
    if (path === undefined) {
      item.resume()
      continue
    }
    await makeParents(options.directory, path)
    switch (header.type) {
      case 'directory':
        if ((await lstat(path).catch(() => undefined))?.isDirectory() !== true) await mkdir(path)
        directories.push({ path, header })
        item.resume()
        break
      case 'symlink':
        await rm(path, { force: true })
        await symlink(header.linkname ?? '', path)
        await setOwnerAndTime(path, header, options)
        item.resume()
        break
      case 'link': {
        const target = targetPath(header.linkname ?? '', options)
        if (target === undefined) throw new Error(`invalid link in archive: ${header.linkname}`)
        await makeParents(options.directory, target)
        await rm(path, { force: true })
        await link(target, path)
        item.resume()
        break
      }
      case 'file':
      case 'contiguous-file':
        bytes += header.size ?? 0
        await rm(path, { force: true })
        await pipeline(item, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
        await setOwnerAndTime(path, header, options)
        await chmod(path, (header.mode ?? 0o644) & 0o7777)
        break
      case 'block-device':
      case 'character-device':
      case 'fifo':
        await rm(path, { force: true })
        await makeNode(path, header)
        await setOwnerAndTime(path, header, options)
        item.resume()
    }
  }
  await feeding
  // Last, so that a read-only directory can be filled and keeps its time.
  for (const { path, header } of directories.reverse()) {
    await setOwnerAndTime(path, header, options)
    await chmod(path, (header.mode ?? 0o755) & 0o7777)
  }
  return bytes
}

/** Undefined for the root entry of a content copy: it exists already. */
function targetPath(name: string, { directory, from, to }: UnpackOptions): string | undefined {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw new Error(`invalid path in archive: ${name}`)
  const root = basename(from) === '/' ? '' : basename(from)
  const rest = parts[0] === root ? parts.slice(1) : parts
  const path = join(directory, to, ...rest)
  return path === directory || path === `${directory}/` ? undefined : path
}

/** Node has no mknod(2): by mknod(1). Devices need root, as with docker. */
async function makeNode(path: string, { type, mode, devmajor, devminor }: Header): Promise<void> {
  const permissions = ((mode ?? 0o644) & 0o7777).toString(8)
  const kind = type === 'fifo' ? ['p'] : [type === 'block-device' ? 'b' : 'c', devmajor, devminor]
  await promisify(execFile)('mknod', ['-m', permissions, path, ...kind.map(String)])
}

/** gnu_dev_major(3), gnu_dev_minor(3) */
function deviceNumbers(rdev: number): { devmajor: number; devminor: number } {
  const device = BigInt(rdev)
  return {
    devmajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    devminor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
  }
}

/** Every directory between `root` and the file is a real one. */
async function makeParents(root: string, path: string): Promise<void> {
  const parent = dirname(path)
  if (parent === root || parent.length <= root.length) return
  await makeParents(root, parent)
  const info = await lstat(parent).catch(() => undefined)
  if (info === undefined) await mkdir(parent)
  else if (!info.isDirectory()) throw new Error(`not a directory in archive: ${parent}`)
}

async function setOwnerAndTime(
  path: string,
  header: Header,
  { keepOwner }: UnpackOptions,
): Promise<void> {
  if (keepOwner) await lchown(path, header.uid ?? 0, header.gid ?? 0)
  if (header.mtime !== undefined) await lutimes(path, header.mtime, header.mtime)
}
