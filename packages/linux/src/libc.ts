import { getSystemErrorName } from 'node:util'
import { SyscallError } from '@ctr/errdefs'
import koffi from 'koffi'

/**
 * The C library. Only calls about other things than the calling process go through here: a call that changes the
 * caller (setns, unshare, chroot, umask, …) belongs to the shim, because Node is multi-threaded. A call that may block
 * uses `.async`, which runs on a worker thread.
 */
export const libc = koffi.load('libc.so.6')

/** Result of the last libc call on this thread, as an error. Call it at once after the failing call. */
export function lastError(syscall: string, detail = ''): SyscallError {
  return errnoError(syscall, koffi.errno(), detail)
}

export function errnoError(syscall: string, errno: number, detail = ''): SyscallError {
  return new SyscallError(syscall, errno, errnoName(errno), detail)
}

/** `ENOENT` for 2; `errno 999` for what Node does not know. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `errno ${errno}`
  }
}
