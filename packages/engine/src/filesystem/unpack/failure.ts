import { EngineError, errnoText } from '@ctr/errdefs'

/** What failed at a member is no matter of the path that the client asked for. */
export function describeFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof EngineError || error.name === 'TarError') {
    return error
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '') return error
  const kind = code === 'EROFS' ? 'FORBIDDEN' : 'INTERNAL'
  return new EngineError(kind, `${path}: ${errnoText(code)}`, { cause: error })
}
