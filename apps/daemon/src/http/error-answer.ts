import { DESCRIPTOR_LIMIT, EngineError, type ErrorCode, isDescriptorLimit } from '@ctr/errdefs'
import { HTTP_STATUS } from '../http-status.ts'
import type { Log } from '../log.ts'

export interface ErrorAnswer {
  readonly status: number
  /** For the log. */
  readonly code: ErrorCode | 'HTTP'
  readonly message: string
}

const HTTP_UNSUPPORTED_MEDIA_TYPE = 415

/** What a client is told about a failure; the one place that turns errors into answers. */
export function errorAnswer(error: unknown): ErrorAnswer {
  // What failed first; that its undoing failed, too, is for the log.
  if (error instanceof SuppressedError) return errorAnswer(error.suppressed)
  if (!isRefusal(error) && isDescriptorLimit(error)) {
    return { status: HTTP_STATUS.UNAVAILABLE, code: 'UNAVAILABLE', message: DESCRIPTOR_LIMIT }
  }
  if (error instanceof EngineError) {
    return { status: HTTP_STATUS[error.code], code: error.code, message: error.message }
  }
  const status = clientErrorStatus(error)
  const message = error instanceof Error ? error.message : String(error)
  // A header that Fastify cannot read, empty ones included.
  if (status === HTTP_UNSUPPORTED_MEDIA_TYPE) {
    const text = "malformed Content-Type header: must be 'application/json'"
    return { status: HTTP_STATUS.INVALID_ARGUMENT, code: 'INVALID_ARGUMENT', message: text }
  }
  if (status !== undefined) return { status, code: 'HTTP', message }
  return { status: HTTP_STATUS.INTERNAL, code: 'INTERNAL', message }
}

/** Says what the caller has done, perhaps in the caller's words. */
function isRefusal(error: unknown): boolean {
  if (error instanceof EngineError) return HTTP_STATUS[error.code] < 500
  return clientErrorStatus(error) !== undefined
}

/** Fastify's own refusals (a body too large, a bad URL) carry their status. */
function clientErrorStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  const { statusCode } = error
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
    ? statusCode
    : undefined
}

/** Whatever fails because the client has gone is not our failure. */
export function asCancelled(error: unknown, isClientGone: boolean): unknown {
  if (!isClientGone) return error
  return new EngineError('CANCELLED', 'the client went away', { cause: error })
}

export function logError(log: Log, status: number, fields: Record<string, unknown>): void {
  if (status === 499) log.info(fields, 'client disconnected')
  else if (status >= 500 && status !== 501 && status !== 503 && fields['code'] !== 'UPSTREAM')
    log.error(fields, 'request failed')
  else log.debug(fields, 'request refused')
}
