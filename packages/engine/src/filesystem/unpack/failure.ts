import { EngineError } from '@ctr/errdefs'

/** What failed at a member is no matter of the path that the client asked for. */
export function describeFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof EngineError || error.name === 'TarError') {
    return error
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '') return error
  const kind = code === 'EROFS' ? 'FORBIDDEN' : 'INTERNAL'
  return new EngineError(kind, `${path}: ${REASONS[code] ?? code}`, { cause: error })
}

const REASONS: Readonly<Record<string, string>> = {
  EROFS: 'read-only file system',
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EBUSY: 'device or resource busy',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EEXIST: 'file exists',
}
