import koffi from 'koffi'
import { errnoName, lastError, libc } from './libc.ts'

const ifNameToIndex = libc.func('unsigned int if_nametoindex(const char *name)')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)')
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
)
const close = libc.func('int close(int fd)')

/** if_nametoindex(3) in the daemon's network namespace; undefined when there is no such link. */
export function interfaceIndex(name: string): number | undefined {
  const index = ifNameToIndex(name) as number
  return index === 0 ? undefined : index
}

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPPROTO_SCTP = 132

/** Whether programs can have sockets of SCTP; asking may load the kernel's module. */
export function hasSctp(): boolean {
  const fd = socket(2, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP) as number // AF_INET
  if (fd < 0) return false
  close(fd)
  return true
}

/**
 * False when bind(2) says EADDRINUSE. Other errors (an address that the host has not) are left to who binds in earnest. `address`: 4 or 16 bytes. Another program can take the port the moment after; the
 * answer is for choosing a port, not for holding one.
 */
export function isPortFree(
  protocol: 'tcp' | 'udp' | 'sctp',
  address: Uint8Array,
  port: number,
): boolean {
  const isV6 = address.length === 16
  const family = isV6 ? 10 : 2 // AF_INET6, AF_INET
  const type = protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM
  const fd = socket(family, type | SOCK_CLOEXEC, protocol === 'sctp' ? IPPROTO_SCTP : 0) as number
  // Where the kernel has no SCTP, no program has a port of it.
  if (fd < 0 && protocol === 'sctp' && errnoName(koffi.errno()) === 'EPROTONOSUPPORT') return true
  if (fd < 0) throw lastError('socket')
  try {
    const one = Buffer.from([1, 0, 0, 0])
    // As a server does; for UDP it would let two sockets share the port.
    if (protocol !== 'udp') setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4)
    if (isV6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4)
    const name = socketAddress(family, address, port)
    if ((bind(fd, name, name.length) as number) === 0) return true
    return errnoName(koffi.errno()) !== 'EADDRINUSE'
  } finally {
    close(fd)
  }
}

/** struct sockaddr_in, sockaddr_in6: ip(7), ipv6(7). The family is in host order (both our architectures are little-endian), the port in network order. */
function socketAddress(family: number, address: Uint8Array, port: number): Buffer {
  const isV6 = address.length === 16
  const name = Buffer.alloc(isV6 ? 28 : 16)
  name.writeUInt16LE(family, 0)
  name.writeUInt16BE(port, 2)
  name.set(address, isV6 ? 8 : 4)
  return name
}
