import type { ErrorCode } from '@ctr/errdefs'

/** The only place that knows HTTP numbers of errors. CANCELLED never reaches a client; 499 is for the log. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  NOT_MODIFIED: 304,
  NOT_IMPLEMENTED: 501,
  UNAVAILABLE: 503,
  // As dockerd: 503 would be about ourselves.
  UPSTREAM: 500,
  CANCELLED: 499,
  INTERNAL: 500,
}
