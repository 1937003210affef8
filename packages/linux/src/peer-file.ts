import { closeSync, readFileSync } from 'node:fs'
import { libc } from './libc.ts'
import { readMountInfo } from './mountinfo.ts'
import { processStartTime } from './process.ts'

const syscall = libc.func('long syscall(long number, ...)')
const getsockoptC = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)',
)

const SOL_SOCKET = 1
/** Linux 6.5. asm-generic/socket.h */
const SO_PEERPIDFD = 77
/** Linux 5.6; the same number on every architecture. asm-generic/unistd.h */
const SYS_pidfd_getfd = 438

/**
 * A copy of descriptor `fd` of the process that has connected to the Unix socket `socketFd`, closed by the caller: the same open
 * file, with the peer's position. Undefined where the kernel cannot tell the process without doubt, or does not let us have it, or
 * where the process has not begun at `startTime` (clock ticks since boot): it is not the one that means us to have the file.
 */
export function takePeerFile(socketFd: number, fd: number, startTime: bigint): number | undefined {
  const pidfd = [-1]
  if (getsockoptC(socketFd, SOL_SOCKET, SO_PEERPIDFD, pidfd, [4]) < 0) return undefined
  const [process = -1] = pidfd
  try {
    const pid = Number(descriptorFact(process, 'Pid'))
    // Neither that of another PID namespace (0) nor that of a process that has ended (-1). pidfd_open(2)
    if (!(pid > 0) || processStartTime(pid) !== startTime) return undefined
    const taken = syscall(SYS_pidfd_getfd, 'int', process, 'int', fd, 'uint', 0) as number
    return taken < 0 ? undefined : taken
  } finally {
    closeSync(process)
  }
}

/** open(2), asm-generic/fcntl.h */
const O_ACCMODE = 0o3
const O_WRONLY = 0o1
const O_PATH = 0o10000000

/** Asks the filesystem nothing. */
export function isOpenForReading(fd: number): boolean {
  const flags = Number.parseInt(descriptorFact(fd, 'flags') ?? '', 8)
  return (flags & O_PATH) === 0 && (flags & O_ACCMODE) !== O_WRONLY
}

/** Name of the filesystem that an open file is on, as `ext4`, without asking it. Undefined: a mount that this process does not see. */
export function filesystemOf(fd: number): string | undefined {
  const mount = Number(descriptorFact(fd, 'mnt_id'))
  return readMountInfo().find(({ id }) => id === mount)?.type
}

/** proc_pid_fdinfo(5) */
function descriptorFact(fd: number, name: string): string | undefined {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
  return new RegExp(`^${name}:\\s*(-?\\d+)$`, 'm').exec(info)?.[1]
}
