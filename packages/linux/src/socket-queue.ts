import { libc } from './libc.ts'

const ioctlC = libc.func('int ioctl(int fd, ulong request, _Out_ int *value)')

const pollC = libc.func('int poll(_Inout_ uint8_t *fds, ulong nfds, int timeout)')

/** linux/sockios.h; the same as TIOCOUTQ. */
const SIOCOUTQ = 0x5411

/**
 * What the peer of a connected Unix socket has not read yet, in bytes of kernel memory, 0 when it has read everything.
 * Undefined when the descriptor is none, or cannot tell. unix(7)
 */
export function unreadByPeer(fd: number): number | undefined {
  const value = [0]
  return ioctlC(fd, SIOCOUTQ, value) === 0 ? value[0] : undefined
}

/** poll.h */
const POLLHUP = 0x10

/**
 * Whether nobody is left at the other end of a connected Unix socket. End-of-file alone does not say so: the peer may only
 * have shut down its sending side (half-closed), and read on. poll(2)
 */
export function hasPeerGone(fd: number): boolean {
  // struct pollfd: int fd, short events, short revents. What is not asked for, POLLHUP is told all the same.
  const entry = Buffer.alloc(8)
  entry.writeInt32LE(fd)
  return pollC(entry, 1, 0) === 1 && (entry.readInt16LE(6) & POLLHUP) !== 0
}
