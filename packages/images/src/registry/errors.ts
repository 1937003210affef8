import type { IncomingMessage } from 'node:http'
import { EngineError } from '@ctr/errdefs'
import { familiarName, familiarReference, parseForeignJson, type Reference } from '@ctr/oci'

/** An answer of a registry that is no success. */
export class RegistryError extends Error {
  readonly status: number
  /** `MANIFEST_UNKNOWN`; '' if the body named none. distribution-spec "Error codes" */
  readonly code: string
  override readonly name = 'RegistryError'

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const MAX_ERROR_BYTES = 64 << 10

/** Reads the error document of an answer. */
export async function readError(response: IncomingMessage): Promise<RegistryError> {
  const status = response.statusCode ?? 0
  const body = await readBody(response, MAX_ERROR_BYTES).catch(() => Buffer.alloc(0))
  const { code, message } = firstError(body)
  const fallback = status === 401 ? 'UNAUTHORIZED' : status === 403 ? 'DENIED' : ''
  const name = code === '' ? fallback : code
  if (name === '') {
    return new RegistryError(
      status,
      '',
      `received unexpected HTTP status: ${status} ${response.statusMessage ?? ''}`.trim(),
    )
  }
  const label = name.toLowerCase().replaceAll('_', ' ')
  const defaults: Record<string, string> = {
    UNAUTHORIZED: 'authentication required',
    DENIED: 'requested access to the resource is denied',
  }
  const text = message === '' ? (defaults[name] ?? label) : message
  return new RegistryError(status, name, `${label}: ${text}`)
}

/** The whole body; throws when it is larger than `maxBytes`. */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) {
      response.destroy()
      throw new EngineError('UPSTREAM', `the registry's answer is larger than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** As Docker words what went wrong with a pull. */
export function translatePullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error
  const say = (text: string): EngineError =>
    new EngineError('NOT_FOUND', `${text}: ${error.message}`, { cause: error })
  switch (error.code) {
    case 'DENIED':
      return say(
        `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login'`,
      )
    case 'MANIFEST_UNKNOWN':
      return say(`manifest for ${familiarReference(reference)} not found`)
    case 'NAME_UNKNOWN':
      return say(`repository ${familiarName(reference)} not found`)
    case 'UNAUTHORIZED':
      return new EngineError('UNAUTHENTICATED', error.message, { cause: error })
    default:
      return new EngineError('UPSTREAM', error.message, { cause: error })
  }
}

export function translatePushError(error: unknown): unknown {
  if (!(error instanceof RegistryError)) return error
  const code =
    error.status === 401 ? 'UNAUTHENTICATED' : error.status === 403 ? 'FORBIDDEN' : 'UPSTREAM'
  return new EngineError(code, error.message, { cause: error })
}

function firstError(body: Buffer): { code: string; message: string } {
  try {
    const document: unknown = parseForeignJson(body)
    const errors = (document as { errors?: unknown })?.errors
    const first: unknown = Array.isArray(errors) ? errors[0] : document
    const { code, message, details } = (first ?? {}) as Record<string, unknown>
    const text = typeof message === 'string' ? message : typeof details === 'string' ? details : ''
    return { code: typeof code === 'string' ? code : '', message: text }
  } catch {
    return { code: '', message: '' }
  }
}
