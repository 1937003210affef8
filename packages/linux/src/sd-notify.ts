import { closeSync } from 'node:fs'
import { lastError, libc } from './libc.ts'

/** What systemd and its services say to each other: datagrams to $NOTIFY_SOCKET, inherited descriptors. Node has neither. */
const c = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  sendto: libc.func(
    'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
  ),
  fcntl: libc.func('int fcntl(int fd, int command, ...)'),
  getsockopt: libc.func(
    'int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)',
  ),
}

// asm-generic/socket.h, bits/socket.h, bits/fcntl-linux.h
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SOL_SOCKET = 1
const SO_DOMAIN = 39
const F_SETFD = 2
const FD_CLOEXEC = 1

/** sd_notify(3): one datagram of `VARIABLE=value` lines. `path` is $NOTIFY_SOCKET: absolute, or `@` and an abstract name. */
export function sdNotify(path: string, message: string): void {
  sendDatagram(path, Buffer.from(message))
}

/** One message to a datagram socket, without waiting: EAGAIN when its queue is full. unix(7) */
export function sendDatagram(path: string, data: Buffer): void {
  const address = unixAddress(path)
  const fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw lastError('socket')
  try {
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL
    const sent = c.sendto(fd, data, data.byteLength, flags, address, address.byteLength)
    if (sent < 0) throw lastError('sendto', path)
  } finally {
    closeSync(fd)
  }
}

/** struct sockaddr_un: the family, then at most 108 bytes. unix(7) */
function unixAddress(path: string): Buffer {
  if (!/^[/@]/.test(path) || Buffer.byteLength(path) > 107) {
    throw new RangeError(`not a socket address: ${path}`)
  }
  const name = Buffer.from(path)
  // An abstract name begins with NUL and ends with the address; a path ends with NUL.
  const isAbstract = name[0] === 0x40
  if (isAbstract) name[0] = 0
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, name, Buffer.alloc(isAbstract ? 0 : 1)])
}

/** Inherited descriptors are not; without it every child would hold them. fcntl(2) */
export function setCloseOnExec(fd: number): void {
  if (c.fcntl(fd, F_SETFD, 'int', FD_CLOEXEC) < 0) throw lastError('fcntl', `fd ${fd}`)
}

/** Of an inherited socket; undefined for another family. ENOTSOCK if it is none. socket(7) SO_DOMAIN */
export function socketFamily(fd: number): 'unix' | 'ip' | undefined {
  const value = [0]
  if (c.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, value, [4]) < 0) {
    throw lastError('getsockopt', `fd ${fd}`)
  }
  if (value[0] === AF_UNIX) return 'unix'
  return value[0] === AF_INET || value[0] === AF_INET6 ? 'ip' : undefined
}
