import { closeSync, constants } from 'node:fs'
import { lastError, libc } from './libc.ts'

/**
 * One function per system call that Node lacks. All are about other things than the calling process and none of them
 * blocks, unless it says so. Errors are SyscallError.
 */
const syscall = libc.func('long syscall(long number, ...)')
const c = {
  fallocate: libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
  flock: libc.func('int flock(int fd, int operation)'),
  kill: libc.func('int kill(int pid, int signal)'),
  statfs: libc.func('int statfs(const char *path, _Out_ uint8_t *buffer)'),
  getsockopt: libc.func(
    'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
  ),
  mount: libc.func(
    'int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)',
  ),
  umount2: libc.func('int umount2(const char *target, int flags)'),
}

/** The same number on every architecture. asm-generic/unistd.h */
const SYS_pidfd_send_signal = 424
const SYS_pidfd_open = 434
const SYS_openat2 = 437

const AT_FDCWD = -100
/** sizeof(struct open_how): flags, mode, resolve, each u64. openat2(2) */
const OPEN_HOW_SIZE = 24
/** EAGAIN: a rename or mount anywhere on the host raced with a `..` of the path, or of a symlink in it. */
const MAX_ATTEMPTS = 256

export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_IN_ROOT = 0x10

/** Node has no constant for it. */
export const O_PATH = 0o10000000
const O_CLOEXEC = 0o2000000

const FALLOC_FL_KEEP_SIZE = 1

/** fallocate(2): blocks for the first `length` bytes of a file, whose size stays. EOPNOTSUPP: the filesystem cannot. */
export function preallocate(fd: number, length: number): void {
  if (c.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, length) !== 0) throw lastError('fallocate')
}

/** openat2(2): returns a descriptor, closed by the caller. `directory` is a descriptor or a path. */
export function openat2(
  directory: number | string,
  path: string,
  o: { flags: number; mode?: number; resolve: number },
): number {
  if (typeof directory === 'string') {
    const root = openat2(AT_FDCWD, directory, {
      flags: O_PATH | constants.O_DIRECTORY,
      resolve: 0,
    })
    try {
      return openat2(root, path, o)
    } finally {
      closeSync(root)
    }
  }
  const how = Buffer.alloc(OPEN_HOW_SIZE)
  how.writeBigUInt64LE(BigInt((o.flags | O_CLOEXEC) >>> 0), 0)
  how.writeBigUInt64LE(BigInt(o.mode ?? 0), 8)
  how.writeBigUInt64LE(BigInt(o.resolve), 16)
  const values = ['int', directory, 'str', path, 'void *', how, 'size_t', OPEN_HOW_SIZE] as const
  for (let attempt = 1; ; attempt++) {
    const fd = syscall(SYS_openat2, ...values) as number
    if (fd >= 0) return fd
    const error = lastError('openat2', path)
    if (error.code !== 'EAGAIN' || attempt === MAX_ATTEMPTS) throw error
  }
}

/**
 * Opens `path` as a process whose root directory is `root` would: symbolic links, `..` and absolute paths stay inside,
 * and /proc's magic links are refused. O_NONBLOCK is added, so that a FIFO does not block.
 */
export function openInRoot(root: number | string, path: string, flags: number, mode = 0): number {
  return openat2(root, path, {
    flags: flags | constants.O_NONBLOCK | constants.O_NOCTTY,
    mode,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  })
}

/** A descriptor of the process, closed by the caller. pidfd_open(2) */
export function pidfdOpen(pid: number): number {
  const fd = syscall(SYS_pidfd_open, 'int', pid, 'uint', 0) as number
  if (fd < 0) throw lastError('pidfd_open', String(pid))
  return fd
}

/** pidfd_send_signal(2). */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  const result = syscall(
    SYS_pidfd_send_signal,
    'int',
    pidfd,
    'int',
    signal,
    'void *',
    null,
    'uint',
    0,
  ) as number
  if (result < 0) throw lastError('pidfd_send_signal', String(signal))
}

/** kill(2). Prefer `signalProcess`, which cannot hit a process that got the pid later. */
export function kill(pid: number, signal: number): void {
  if (c.kill(pid, signal) < 0) throw lastError('kill', String(pid))
}

/** dev_t of glibc: gnu_dev_makedev(3). */
export function makeDevice(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)]
  return (
    ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn)
  )
}

/** Reverse of `makeDevice`, for st_rdev of a stat with `bigint: true` or not. */
export function deviceNumbers(device: bigint | number): { major: number; minor: number } {
  const value = BigInt(device)
  return {
    major: Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)),
    minor: Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn)),
  }
}

const LOCK_EX = 2
const LOCK_NB = 4

/** Takes an exclusive lock that lives as long as the descriptor; false if another has it. flock(2) */
export function tryLock(fd: number): boolean {
  if (c.flock(fd, LOCK_EX | LOCK_NB) === 0) return true
  const error = lastError('flock')
  if (error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK') return false
  throw error
}

/** Magic numbers of statfs(2). */
export const FILESYSTEM_MAGIC = {
  cgroup: 0x27e0eb,
  cgroup2: 0x63677270,
  overlay: 0x794c7630,
  tmpfs: 0x01021994,
  ramfs: 0x858458f6,
  proc: 0x9fa0,
  nsfs: 0x6e736673,
  ext4: 0xef53,
  xfs: 0x58465342,
  btrfs: 0x9123683e,
} as const

/** `f_type` of the filesystem that holds `path`. */
export function filesystemMagic(path: string): number {
  const buffer = Buffer.alloc(256) // sizeof(struct statfs) is 120 on 64-bit architectures
  if (c.statfs(path, buffer) < 0) throw lastError('statfs', path)
  return Number(buffer.readBigInt64LE(0) & 0xffffffffn)
}

const SOL_SOCKET = 1
const SO_PEERCRED = 17

/** Who connected to a Unix socket: as of its connect(2). unix(7) */
export function peerCredentials(fd: number): { pid: number; uid: number; gid: number } {
  const value = Buffer.alloc(12)
  if (c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, [12]) < 0) {
    throw lastError('getsockopt', 'SO_PEERCRED')
  }
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) }
}

/** mount(2) on this host, in this process's mount namespace. May block: do not use it for network filesystems. */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string | null = null,
): void {
  if (c.mount(source, target, type, flags, data) < 0) {
    throw lastError('mount', `${type || source} on ${target}`)
  }
}

/** umount2(2). */
export function umount(target: string, flags = 0): void {
  if (c.umount2(target, flags) < 0) throw lastError('umount2', target)
}

/** umount2 flag. */
export const MNT_DETACH = 2
