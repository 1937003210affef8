import { libc } from './libc.ts'

const ioctlC = libc.func('int ioctl(int fd, ulong request, _Out_ int *value)')

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
