import { EngineError, errnoText } from '@ctr/errdefs'

/** Errors of names and links that the archive has, here or together with what the container has. */
const ASKED_FOR = ['ELOOP', 'ENAMETOOLONG', 'EMLINK', 'ENOTDIR', 'EISDIR', 'ENOENT', 'E2BIG']

/** What failed at a member is no matter of the path that the client asked for. */
export function describeFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof EngineError || error.name === 'TarError') {
    return error
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '') return error
  const kind =
    code === 'EROFS' ? 'FORBIDDEN' : ASKED_FOR.includes(code) ? 'INVALID_ARGUMENT' : 'INTERNAL'
  return new EngineError(kind, `${path}: ${errnoText(code)}`, { cause: error })
}
