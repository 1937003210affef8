import { EngineError, type ErrorCode } from '@ctr/errdefs'
import type { Host } from './host.ts'

/** The daemon answered with an error status. `message` is the daemon's own text. */
export class ResponseError extends EngineError {
  override readonly name: string = 'ResponseError'
  readonly status: number

  constructor(status: number, message: string) {
    super(codeOfStatus(status), message)
    this.status = status
  }
}

/** No daemon answers at this address. */
export class ConnectError extends EngineError {
  override readonly name: string = 'ConnectError'
  readonly host: Host

  constructor(host: Host, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('UNAVAILABLE', `cannot connect to the daemon at ${host.address}: ${reason}`, { cause })
    this.host = host
  }

  /** What the system said: ENOENT, ECONNREFUSED, EACCES, … */
  get systemCode(): string | undefined {
    const { cause } = this
    return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  }
}

export function cancelled(cause?: unknown): EngineError {
  return new EngineError('CANCELLED', 'the request was cancelled', { cause })
}

export function connectionLost(detail: string, cause?: unknown): EngineError {
  return new EngineError('UNAVAILABLE', `connection to the daemon lost: ${detail}`, { cause })
}

/** The inverse of the daemon's http-status table. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  304: 'NOT_MODIFIED',
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  499: 'CANCELLED',
  501: 'NOT_IMPLEMENTED',
  503: 'UNAVAILABLE',
}

function codeOfStatus(status: number): ErrorCode {
  return CODES[status] ?? (status >= 400 && status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL')
}
