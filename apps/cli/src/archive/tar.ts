import { execFile } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  createReadStream,
  createWriteStream,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
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
  /** Of a path below the root, and of a directory whether all below it stays out, too. */
  readonly leavesOut?: (path: string, isDirectory: boolean) => 'no' | 'itself' | 'all'
  /** Files that are not on the disk there. */
  readonly extra?: readonly { readonly name: string; readonly content: string }[]
  readonly counter: { bytes: number }
}

/** A stream for each small file would take as long as all the rest; and nothing else waits for this process. */
const SMALL_BYTES = 256 << 10
/** Of the archive, sent at a time; a thousand small files are three thousand chunks of it. */
const PIECE_BYTES = 128 << 10

/** Walks without following links. Sockets are left out: tar has no entry for them. */
export function packPath(path: string, options: PackOptions): AsyncIterable<Uint8Array> {
  const tar = pack()
  /** Names of files with several links, by inode. */
  const linked = new Map<string, string>()
  const add = async (file: string, name: string, isRoot: boolean): Promise<void> => {
    const info = isRoot && options.followLink ? statSync(file) : lstatSync(file)
    const below = name.slice(options.name.length + 1)
    const leavesOut = isRoot ? 'no' : options.leavesOut?.(below, info.isDirectory())
    if (leavesOut === 'all') return
    const header = {
      name,
      mode: info.mode & 0o7777,
      uid: info.uid,
      gid: info.gid,
      mtime: info.mtime,
    }
    if (info.isDirectory()) {
      if (leavesOut !== 'itself') await entry({ ...header, name: `${name}/`, type: 'directory' })
      for (const child of readdirSync(file)) await add(join(file, child), `${name}/${child}`, false)
    } else if (leavesOut === 'itself') return
    else if (info.isSymbolicLink()) {
      await entry({ ...header, type: 'symlink', linkname: readlinkSync(file) })
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
      if (info.size <= SMALL_BYTES) {
        await entry({ ...header, type: 'file' }, readSmall(file, info.size))
        return
      }
      const sink = tar.entry({ ...header, type: 'file', size: info.size })
      await pipeline(createReadStream(file, { end: info.size - 1 }), sink)
    }
  }
  const entry = (header: Partial<Header> & { name: string }, data?: Buffer<ArrayBuffer>) =>
    new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null): void =>
        error === null || error === undefined ? resolve() : reject(error)
      if (data === undefined) tar.entry(header, done)
      else tar.entry(header, data, done)
    })
  const addAll = async (): Promise<void> => {
    await add(path, options.name, true)
    for (const { name, content } of options.extra ?? []) {
      await entry({ name, type: 'file', mode: 0o600 }, Buffer.from(content))
    }
  }
  addAll().then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  return inPieces(tar as AsyncIterable<Uint8Array>)
}

/** The first `size` bytes, fewer if the file has become shorter. */
function readSmall(path: string, size: number): Buffer<ArrayBuffer> {
  const data = Buffer.allocUnsafe(size)
  const fd = openSync(path, 'r')
  try {
    let length = 0
    while (length < size) {
      const read = readSync(fd, data, length, size - length, null)
      if (read === 0) break
      length += read
    }
    return data.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(chunks)
    chunks = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(chunks)
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
  // A directory that has been seen stays one, until a member takes its place.
  const parents = new Set([options.directory])
  let bytes = 0
  for await (const item of reader) {
    const header: Header = item.header
    const path = targetPath(header.name, options)
    if (path === undefined) {
      item.resume()
      continue
    }
    makeParents(parents, options.directory, path)
    if (header.type !== 'directory') parents.delete(path)
    switch (header.type) {
      case 'directory':
        if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) mkdirSync(path)
        directories.push({ path, header })
        item.resume()
        break
      case 'symlink':
        rmSync(path, { force: true })
        symlinkSync(header.linkname ?? '', path)
        setOwnerAndTime(path, header, options)
        item.resume()
        break
      case 'link': {
        const target = targetPath(header.linkname ?? '', options)
        if (target === undefined) throw new Error(`invalid link in archive: ${header.linkname}`)
        makeParents(parents, options.directory, target)
        rmSync(path, { force: true })
        linkSync(target, path)
        item.resume()
        break
      }
      case 'file':
      case 'contiguous-file':
        bytes += header.size ?? 0
        rmSync(path, { force: true })
        await writeFile(path, item, header.size ?? 0)
        setOwnerAndTime(path, header, options)
        chmodSync(path, (header.mode ?? 0o644) & 0o7777)
        break
      case 'block-device':
      case 'character-device':
      case 'fifo':
        rmSync(path, { force: true })
        await makeNode(path, header)
        setOwnerAndTime(path, header, options)
        item.resume()
    }
  }
  await feeding
  // Last, so that a read-only directory can be filled and keeps its time.
  for (const { path, header } of directories.reverse()) {
    setOwnerAndTime(path, header, options)
    chmodSync(path, (header.mode ?? 0o755) & 0o7777)
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

async function writeFile(
  path: string,
  content: AsyncIterable<unknown>,
  size: number,
): Promise<void> {
  if (size > SMALL_BYTES) {
    await pipeline(content, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    return
  }
  const fd = openSync(path, 'wx', 0o600)
  try {
    for await (const chunk of content) writeWhole(fd, chunk as Uint8Array)
  } finally {
    closeSync(fd)
  }
}

function writeWhole(fd: number, data: Uint8Array): void {
  for (let done = 0; done < data.length; ) done += writeSync(fd, data, done)
}

/** Every directory between `root` and the file is a real one. `known`: those that have been seen to be. */
function makeParents(known: Set<string>, root: string, path: string): void {
  const parent = dirname(path)
  if (known.has(parent) || parent.length <= root.length) return
  makeParents(known, root, parent)
  const info = lstatSync(parent, { throwIfNoEntry: false })
  if (info === undefined) mkdirSync(parent)
  else if (!info.isDirectory()) throw new Error(`not a directory in archive: ${parent}`)
  known.add(parent)
}

function setOwnerAndTime(path: string, header: Header, { keepOwner }: UnpackOptions): void {
  if (keepOwner) lchownSync(path, header.uid ?? 0, header.gid ?? 0)
  if (header.mtime !== undefined) lutimesSync(path, header.mtime, header.mtime)
}
