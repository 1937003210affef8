import { EngineError } from '@ctr/errdefs'

/** The texts are runc's: its callers look for some of them. */
export function containerNotFound(): EngineError {
  return new EngineError('NOT_FOUND', 'container does not exist')
}

export function invalidArgument(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', message)
}

/** The container is in a state in which this cannot be done. */
export function wrongState(message: string): EngineError {
  return new EngineError('CONFLICT', message)
}

export function unavailable(message: string, cause?: unknown): EngineError {
  return new EngineError('UNAVAILABLE', message, { cause })
}

/** Puts words before the message of an error; the error keeps its code. */
export function prefixed(prefix: string, error: unknown): Error {
  if (!(error instanceof Error)) return new Error(`${prefix}: ${String(error)}`)
  const message = `${prefix}: ${error.message}`
  if (error instanceof EngineError) return new EngineError(error.code, message, { cause: error })
  return new Error(message, { cause: error })
}
