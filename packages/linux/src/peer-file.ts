import { closeSync } from 'node:fs'
import { libc } from './libc.ts'

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
 * file, with the peer's position. Undefined where the kernel cannot tell the process without doubt, or does not let us have it.
 */
export function takePeerFile(socketFd: number, fd: number): number | undefined {
  const pidfd = [-1]
  if (getsockoptC(socketFd, SOL_SOCKET, SO_PEERPIDFD, pidfd, [4]) < 0) return undefined
  const [process = -1] = pidfd
  try {
    const taken = syscall(SYS_pidfd_getfd, 'int', process, 'int', fd, 'uint', 0) as number
    return taken < 0 ? undefined : taken
  } finally {
    closeSync(process)
  }
}
