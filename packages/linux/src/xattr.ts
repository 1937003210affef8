import koffi from 'koffi'
import { errnoError, lastError, libc } from './libc.ts'

const llistxattrC = libc.func('long llistxattr(const char *path, void *list, size_t size)')
const lgetxattrC = libc.func(
  'long lgetxattr(const char *path, const char *name, void *value, size_t size)',
)
const lsetxattrC = libc.func(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
)
const fsetxattrC = libc.func(
  'int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)',
)

const ERANGE = 34
const ENODATA = 61
const EOPNOTSUPP = 95
/** xattr(7): XATTR_LIST_MAX and XATTR_SIZE_MAX are both 64 KiB. */
const MAX_BYTES = 65536

/** A path as the kernel sees it: text, or bytes without a NUL. */
export type PathBytes = string | Buffer

/** Names of the extended attributes of `path`, a symlink itself. llistxattr(2). Empty where there are none at all. */
export function llistxattr(path: PathBytes): string[] {
  const target = cString(path)
  const size = Number(llistxattrC(target, null, 0))
  if (size === 0) return []
  if (size < 0) {
    if (koffi.errno() === EOPNOTSUPP) return []
    throw lastError('llistxattr', String(path))
  }
  const list = Buffer.alloc(MAX_BYTES)
  const length = Number(llistxattrC(target, list, list.length))
  if (length < 0) throw lastError('llistxattr', String(path))
  return list
    .toString('latin1', 0, length)
    .split('\0')
    .filter((name) => name !== '')
}

/** Value of one attribute, undefined when it is absent. lgetxattr(2). */
export function lgetxattr(path: PathBytes, name: string): Buffer | undefined {
  const value = Buffer.alloc(256)
  const target = cString(path)
  const length = Number(lgetxattrC(target, name, value, value.length))
  if (length >= 0) return value.subarray(0, length)
  const errno = koffi.errno()
  if (errno === ENODATA || errno === EOPNOTSUPP) return undefined
  if (errno !== ERANGE) throw errnoError('lgetxattr', errno, `${String(path)} ${name}`)
  const large = Buffer.alloc(MAX_BYTES)
  const full = Number(lgetxattrC(target, name, large, large.length))
  if (full < 0) throw lastError('lgetxattr', `${String(path)} ${name}`)
  return large.subarray(0, full)
}

/** Sets one attribute; never follows `path` if it is a symlink. lsetxattr(2). */
export function lsetxattr(path: PathBytes, name: string, value: Uint8Array): void {
  if (lsetxattrC(cString(path), name, value, value.length, 0) !== 0) {
    throw lastError('lsetxattr', `${String(path)} ${name}`)
  }
}

/** Sets one attribute of an open file. fsetxattr(2) */
export function fsetxattr(fd: number, name: string, value: Uint8Array): void {
  if (fsetxattrC(fd, name, value, value.length, 0) !== 0) throw lastError('fsetxattr', name)
}

/** koffi passes a string as UTF-8 and a buffer as it is: the latter needs its NUL. */
function cString(path: PathBytes): PathBytes {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)])
}
