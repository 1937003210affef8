import { lastError, libc } from './libc.ts'
import type { PathBytes } from './xattr.ts'

const mknodC = libc.func('int mknod(const char *path, uint mode, ulong dev)')
const utimensatC = libc.func(
  'int utimensat(int dirfd, const char *path, const void *times, int flags)',
)
const futimensC = libc.func('int futimens(int fd, const void *times)')
const syncfsC = libc.func('int syncfs(int fd)')
const syncFileRangeC = libc.func(
  'int sync_file_range(int fd, int64_t offset, int64_t length, uint flags)',
)

const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100

/** mknod(2). `mode` holds the type (S_IFCHR, S_IFBLK, S_IFIFO); the umask applies. */
export function mknod(path: PathBytes, mode: number, major: number, minor: number): void {
  if (mknodC(cString(path), mode, makedev(major, minor)) !== 0)
    throw lastError('mknod', String(path))
}

/** Sets access and modification time of `path`, a symlink itself. utimensat(2) */
export function lutimes(path: PathBytes, seconds: number, nanoseconds: number): void {
  fillTimes(seconds, nanoseconds)
  if (utimensatC(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw lastError('utimensat', String(path))
  }
}

/** As `lutimes`, of an open file. futimens(3) */
export function futimes(fd: number, seconds: number, nanoseconds: number): void {
  fillTimes(seconds, nanoseconds)
  if (futimensC(fd, times) !== 0) throw lastError('futimens')
}

/** Writes everything of `fd`'s filesystem to the disk, on a worker thread. syncfs(2) */
export function syncfs(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    syncfsC.async(fd, (error: unknown, result: number) => {
      if (error !== null || result !== 0) reject(error ?? lastError('syncfs'))
      else resolve()
    })
  })
}

const SYNC_FILE_RANGE_WRITE = 2

/**
 * Lets the disk begin with a part of a file that is being written, so that the fdatasync(2) at the end has less to wait for. Promises
 * nothing, and fails never. Resolves when it has begun; keep the descriptor open until then. sync_file_range(2)
 */
export function beginWriteback(fd: number, offset: number, length: number): Promise<void> {
  return new Promise((resolve) => {
    syncFileRangeC.async(fd, offset, length, SYNC_FILE_RANGE_WRITE, () => resolve())
  })
}

/** gnu_dev_makedev(3) */
function makedev(major: number, minor: number): bigint {
  const ma = BigInt(major)
  const mi = BigInt(minor)
  return (
    ((ma & 0xfffff000n) << 32n) | ((ma & 0xfffn) << 8n) | ((mi & 0xffffff00n) << 12n) | (mi & 0xffn)
  )
}

/** Two struct timespec of 64-bit words, reused: the calls are synchronous. */
const times = new Int32Array(8)

function fillTimes(seconds: number, nanoseconds: number): void {
  const high = Math.floor(seconds / 4294967296)
  times[0] = seconds | 0
  times[1] = high
  times[2] = nanoseconds
  times[4] = times[0]
  times[5] = high
  times[6] = nanoseconds
}

function cString(path: PathBytes): PathBytes {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)])
}
