import { messageOf } from '@ctr/errdefs'

/** Reads a file that the user named. Throws with Go's text: `open /nope: no such file or directory`. */
export function readUserFile(path: string): Buffer {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path)
  } catch (error) {
    throw fileError('open', path, error)
  }
}

export function fileError(operation: string, path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason = REASONS[code] ?? messageOf(error)
  return new Error(`${operation} ${path}: ${reason}`, { cause: error })
}

/** strerror(3), as Go prints it. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
}
