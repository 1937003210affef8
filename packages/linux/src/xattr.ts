import koffi from 'koffi'
import { errnoError, lastError, libc } from './libc.ts'

const llistxattrC = libc.func('long llistxattr(const char *path, void *list, size_t size)')
const flistxattrC = libc.func('long flistxattr(int fd, void *list, size_t size)')
const lgetxattrC = libc.func(
  'long lgetxattr(const char *path, const char *name, void *value, size_t size)',
)
const fgetxattrC = libc.func('long fgetxattr(int fd, const char *name, void *value, size_t size)')
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
  return listWith((list, bytes) => llistxattrC(target, list, bytes), String(path))
}

/** As `llistxattr`, of an open file, without the way to it by its name. flistxattr(2) */
export function flistxattr(fd: number): string[] {
  return listWith((list, bytes) => flistxattrC(fd, list, bytes), `fd ${fd}`)
}

function listWith(call: (list: Buffer | null, bytes: number) => number, of: string): string[] {
  const size = Number(call(null, 0))
  if (size === 0) return []
  if (size < 0) {
    if (koffi.errno() === EOPNOTSUPP) return []
    throw lastError('listxattr', of)
  }
  const list = Buffer.alloc(MAX_BYTES)
  const length = Number(call(list, list.length))
  if (length < 0) throw lastError('listxattr', of)
  return list
    .toString('latin1', 0, length)
    .split('\0')
    .filter((name) => name !== '')
}

/** Value of one attribute, undefined when it is absent. lgetxattr(2). */
export function lgetxattr(path: PathBytes, name: string): Buffer | undefined {
  const target = cString(path)
  const of = `${String(path)} ${name}`
  return getWith((value, bytes) => lgetxattrC(target, name, value, bytes), of)
}

/** As `lgetxattr`, of an open file. fgetxattr(2) */
export function fgetxattr(fd: number, name: string): Buffer | undefined {
  return getWith((value, bytes) => fgetxattrC(fd, name, value, bytes), name)
}

function getWith(call: (value: Buffer, bytes: number) => number, of: string): Buffer | undefined {
  const value = Buffer.alloc(256)
  const length = Number(call(value, value.length))
  if (length >= 0) return value.subarray(0, length)
  const errno = koffi.errno()
  if (errno === ENODATA || errno === EOPNOTSUPP) return undefined
  if (errno !== ERANGE) throw errnoError('getxattr', errno, of)
  const large = Buffer.alloc(MAX_BYTES)
  const full = Number(call(large, large.length))
  if (full < 0) throw lastError('getxattr', of)
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
