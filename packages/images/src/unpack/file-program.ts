import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getSystemErrorMessage } from 'node:util'
import { PROCESS_LIMIT } from '@ctr/errdefs'
import { errnoName, type PipeEnd, pipe } from '@ctr/linux'
import { NO_ROOM } from '../content/room.ts'
import { type TarEntry, TarError } from '../tar/format.ts'

/** Built by `make -C packages/images/native`. */
export const FILES_BINARY = fileURLToPath(new URL('../../native/build/ctr-files', import.meta.url))

// packages/images/native/files.h
export const OP = {
  file: 1,
  write: 2,
  copy: 3,
  end: 4,
  directory: 5,
  symlink: 6,
  link: 7,
  node: 8,
  whiteout: 9,
  remove: 10,
  attributes: 11,
  finish: 12,
} as const
const FLAG_WHOLE = 1
const FLAG_KEEP_TIME = 2
const FLAG_NO_REPLACE = 4
const REPLY_ERROR = 0
const REPLY_MADE = 1
const HEAD_BYTES = 64
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** Large enough that the pipe is written to seldom, small enough that ctr-files has something to do early. */
const BUFFER_BYTES = 64 << 10
/** Of data in one operation; what ctr-files takes is larger. */
const MAX_DATA_BYTES = 1 << 20
/** limits.h, with the NUL. */
const PATH_MAX = 4096

/** Owner, mode, times and extended attributes. */
export type FileAttributes = Pick<
  TarEntry,
  'mode' | 'uid' | 'gid' | 'mtimeSeconds' | 'mtimeNanoseconds' | 'xattrs'
>

/**
 * A program that makes files below a directory, run by ctr-files (a native process whose root that directory is) while it is being
 * written. Paths are latin1 without a leading slash; '' is the root; parents must be directories made before. An operation that fails
 * ends the program: a later call, or `finish`, throws its error. Anything but a directory that is in the way gives way. End it
 * by `finish` or `abort`.
 */
export class FileProgram {
  readonly #child: ChildProcess
  readonly #ended: Promise<string | undefined>
  readonly #rootBytes: number
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  readonly #program: PipeEnd
  readonly #replies: PipeEnd
  #used = 0

  /** `root` as latin1 bytes. `source` is the file that `copy` and `wholeFile` take data from. */
  constructor(root: string, source: string, binary = FILES_BINARY) {
    this.#rootBytes = root.length
    const program = pipe()
    const replies = pipe()
    this.#program = program.writer
    this.#replies = replies.reader
    const opened: number[] = []
    try {
      opened.push(openSync(Buffer.from(root, 'latin1'), DIRECTORY_FLAGS), openSync(source, 'r'))
      const stdio = [program.reader.fd, replies.writer.fd, 'inherit' as const, ...opened]
      this.#child = spawn(binary, [], { stdio, env: {} })
    } catch (error) {
      this.#close()
      throw error
    } finally {
      for (const fd of opened) closeSync(fd)
      program.reader.close()
      replies.writer.close()
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`${binary} cannot be run: ${error.message}`))
      this.#child.once('exit', (code, signal) =>
        resolve(code === 0 ? undefined : `ctr-files ended with ${signal ?? `exit code ${code}`}`),
      )
    })
    if (this.#child.pid === undefined) {
      this.#close()
      // Why is told a turn later only.
      throw new Error(
        existsSync(binary)
          ? `cannot start ctr-files: ${PROCESS_LIMIT}, or the limit of open files`
          : `${binary} cannot be run: set-up builds it`,
      )
    }
  }

  /** A regular file whose content is the `entry.size` bytes at `offset` of the source. */
  wholeFile(path: string, entry: TarEntry, offset: number): void {
    this.#put(OP.file, FLAG_WHOLE, path, entry, { ...NONE, size: entry.size, offset })
  }

  /** A regular file that is being written to until `endFile`. */
  file(path: string, entry: TarEntry): void {
    this.#put(OP.file, 0, path, entry, { ...NONE, size: entry.size })
  }

  write(position: number, data: Buffer): void {
    for (let at = 0; at < data.length; at += MAX_DATA_BYTES) {
      const argument = data.subarray(at, at + MAX_DATA_BYTES)
      this.#put(OP.write, 0, undefined, undefined, { ...NONE, size: position + at, argument })
    }
  }

  /** `length` bytes at `offset` of the source. */
  copy(position: number, offset: number, length: number): void {
    const numbers = { ...NONE, size: position, offset, major: length }
    this.#put(OP.copy, 0, undefined, undefined, numbers)
  }

  endFile(): void {
    this.#put(OP.end, 0, undefined, undefined, NONE)
  }

  /** `isImplied`: nothing gives way; a file in its place is the archive's error. */
  directory(path: string, isImplied: boolean): void {
    this.#put(OP.directory, isImplied ? FLAG_NO_REPLACE : 0, path, undefined, NONE)
  }

  symlink(path: string, entry: TarEntry): void {
    this.#put(OP.symlink, 0, path, entry, { ...NONE, argument: cString(entry.linkTarget) })
  }

  link(path: string, source: string): void {
    this.#put(OP.link, 0, path, undefined, { ...NONE, argument: cString(`/${source}`) })
  }

  /** `entry.mode` holds the type. mknod(2) */
  node(path: string, entry: TarEntry): void {
    const { major, minor } = entry
    this.#put(OP.node, 0, path, entry, { ...NONE, major, minor })
  }

  /** An overlay whiteout, if nothing is there. Waits for the answer: true if it was made. */
  whiteout(path: string): boolean {
    this.#put(OP.whiteout, 0, path, undefined, NONE)
    this.#flush()
    const reply = Buffer.alloc(1)
    const length = readSync(this.#replies.fd, reply)
    if (length === 0 || reply[0] === REPLY_ERROR) throw this.#failure(reply.subarray(0, length))
    return reply[0] === REPLY_MADE
  }

  /** Removes a directory with all that is in it. */
  remove(path: string): void {
    this.#put(OP.remove, 0, path, undefined, NONE)
  }

  /** Of a directory. Without times those of the last change in it stay. */
  attributes(path: string, attributes: FileAttributes, o: { keepTime: boolean }): void {
    this.#put(OP.attributes, o.keepTime ? FLAG_KEEP_TIME : 0, path, attributes, NONE)
  }

  /** Resolves when everything has been made. */
  async finish(): Promise<void> {
    this.#put(OP.finish, 0, undefined, undefined, NONE)
    this.#flush()
    const problem = await this.#ended
    if (problem !== undefined) throw this.#failure(Buffer.alloc(0), problem)
    this.#close()
  }

  /** Resolves when nothing is made any more. No effect after `finish`. */
  async abort(): Promise<void> {
    this.#close()
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #close(): void {
    this.#program.close()
    this.#replies.close()
  }

  /** 20,000 times for a layer of as many files. */
  #put(
    code: number,
    flags: number,
    path: string | undefined,
    attributes: FileAttributes | undefined,
    numbers: Numbers,
  ): void {
    const pathBytes = path === undefined ? 0 : path.length + 2
    if (pathBytes + this.#rootBytes > PATH_MAX)
      throw new TarError(`path is too long: ${path?.slice(0, 100)}…`)
    const { argument } = numbers
    const xattrs = attributes?.xattrs === undefined ? undefined : encodeXattrs(attributes.xattrs)
    if (this.#used + HEAD_BYTES + pathBytes > BUFFER_BYTES) this.#flush()
    const out = this.#buffer
    const at = this.#used
    out.fill(0, at, at + HEAD_BYTES)
    out[at] = code
    out[at + 1] = flags
    if (attributes !== undefined) {
      out.writeUInt32LE(attributes.mode, at + 4)
      out.writeUInt32LE(attributes.uid, at + 8)
      out.writeUInt32LE(attributes.gid, at + 12)
      put64(out, at + 16, attributes.mtimeSeconds)
      out.writeUInt32LE(attributes.mtimeNanoseconds, at + 24)
    }
    out.writeUInt32LE(pathBytes, at + 28)
    out.writeUInt32LE(argument?.length ?? 0, at + 32)
    out.writeUInt32LE(xattrs?.length ?? 0, at + 36)
    out.writeUInt32LE(numbers.major, at + 40)
    out.writeUInt32LE(numbers.minor, at + 44)
    put64(out, at + 48, numbers.size)
    put64(out, at + 56, numbers.offset)
    this.#used += HEAD_BYTES
    if (path !== undefined) {
      out[this.#used] = 47
      out.write(path, this.#used + 1, 'latin1')
      out[this.#used + pathBytes - 1] = 0
      this.#used += pathBytes
    }
    if (argument !== undefined) this.#append(argument)
    if (xattrs !== undefined) this.#append(xattrs)
  }

  #append(data: Buffer): void {
    if (this.#used + data.length > BUFFER_BYTES) this.#flush()
    if (data.length > BUFFER_BYTES) {
      this.#send(data)
      return
    }
    data.copy(this.#buffer, this.#used)
    this.#used += data.length
  }

  #flush(): void {
    const data = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    this.#send(data)
  }

  #send(data: Buffer): void {
    try {
      for (let done = 0; done < data.length; ) {
        done += writeSync(this.#program.fd, data, done)
      }
    } catch (error) {
      throw this.#failure(Buffer.alloc(0), String(error))
    }
  }

  /** What ctr-files said before it ended. `begin` has been read of it already. */
  #failure(begin: Buffer, otherwise = 'ctr-files ended early'): Error {
    const chunks = [begin]
    for (;;) {
      const chunk = Buffer.alloc(8192)
      const length = readSync(this.#replies.fd, chunk)
      if (length === 0) break
      chunks.push(chunk.subarray(0, length))
    }
    const { error, call, path } = failureOf(Buffer.concat(chunks), otherwise)
    const isInTheWay = call === 'mkdir' && 'code' in error && error.code === 'EEXIST'
    return isInTheWay ? new TarError(`not a directory: ${path}`) : error
  }
}

/** The error that ctr-files ended with, by its last reply: its call and path, '' if there is none. */
export function failureOf(
  reply: Buffer,
  otherwise: string,
): { error: Error; call: string; path: string } {
  if (reply.length < 6 || reply[0] !== REPLY_ERROR)
    return { error: new Error(otherwise), call: '', path: '' }
  const errno = reply.readUInt32LE(1)
  const [call = '', path = ''] = reply.toString('utf8', 5).split('\0')
  // Users read it: in words, as dockerd's.
  const message =
    call === 'room'
      ? `write ${path}: ${NO_ROOM}`
      : `${call} ${path}: ${getSystemErrorMessage(-errno)}`
  return { error: Object.assign(new Error(message), { code: errnoName(errno) }), call, path }
}

/** What operations have beside attributes; each means another thing to each. Always of one shape, which V8 likes. */
interface Numbers {
  readonly size: number
  readonly offset: number
  readonly major: number
  readonly minor: number
  readonly argument: Buffer | undefined
}

const NONE: Numbers = { size: 0, offset: 0, major: 0, minor: 0, argument: undefined }

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1')
}

/** Two's complement. */
function put64(out: Buffer, at: number, value: number): void {
  out.writeInt32LE(value | 0, at)
  out.writeInt32LE(Math.floor(value / 4294967296), at + 4)
}

function encodeXattrs(xattrs: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of xattrs) {
    const key = Buffer.from(`${name}\0`)
    const head = Buffer.alloc(8)
    head.writeUInt32LE(key.length, 0)
    head.writeUInt32LE(value.length, 4)
    parts.push(head, key, value)
  }
  return Buffer.concat(parts)
}
