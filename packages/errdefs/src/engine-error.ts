/**
 * The closed list of what can go wrong from a caller's point of view. The daemon maps each code to one HTTP
 * status, the client maps it back, so that the CLI sees what the engine threw.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'NOT_MODIFIED'
  | 'NOT_IMPLEMENTED'
  | 'UNAVAILABLE'
  /** Another server that had to be asked, a registry, does not answer, or not as it should. */
  | 'UPSTREAM'
  | 'CANCELLED'
  | 'INTERNAL'

/** An error with a code that a caller may act on. `message` is shown to the user as it is. */
export class EngineError extends Error {
  readonly code: ErrorCode
  override readonly name: string = 'EngineError'

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** INVALID_ARGUMENT: what the caller asked for can never work. */
export function invalid(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', message)
}

export function isEngineError(error: unknown, code?: ErrorCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code)
}
