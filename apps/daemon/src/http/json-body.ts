import { decode, LargeInteger, type Schema } from '@ctr/api'
import { EngineError, messageOf } from '@ctr/errdefs'
import { assertShallow } from '@ctr/oci'
import { jsonFault } from './json-fault.ts'

/** Larger documents are refused with 413: 100 KB arguments and long environments fit many times. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024
/** A document of this size is parsed at once, and what walks it has room enough, however deep it is. */
const ALWAYS_SHALLOW_BYTES = 4096

/** moby httputils.ReadJSON: one document, of the right content type. */
export function parseJsonBody<B>(
  schema: Schema<B>,
  o: { bytes: Buffer; contentType: string | undefined; isOptional: boolean },
): B {
  if (o.bytes.byteLength === 0) {
    if (o.isOptional) return decode(schema, {})
    throw new EngineError('INVALID_ARGUMENT', 'invalid JSON: got EOF while reading request body')
  }
  const mediaType = o.contentType?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `unsupported Content-Type header (${o.contentType ?? ''}): must be 'application/json'`,
    )
  }
  const document = parseJson(o.bytes)
  // Go leaves the zero value.
  return decode(schema, document ?? {})
}

/** JSON.parse makes a rounded number of it; Node 24 gives the source of what is no object. */
function markLargeInteger(
  _key: string,
  value: unknown,
  context?: { readonly source: string },
): unknown {
  const source = context?.source ?? ''
  if (typeof value !== 'number' || !/^-?\d{19,}$/.test(source)) return value
  const integer = BigInt(source)
  return BigInt.asIntN(64, integer) === integer ? value : new LargeInteger(source)
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.byteLength > ALWAYS_SHALLOW_BYTES) {
    try {
      assertShallow(bytes)
    } catch (error) {
      throw new EngineError('INVALID_ARGUMENT', `invalid JSON: ${messageOf(error)}`)
    }
  }
  try {
    const text = bytes.toString('utf8')
    // Hardly a document has such a number, and to look at each costs more than to parse it.
    return /\d{19}/.test(text) ? JSON.parse(text, markLargeInteger) : JSON.parse(text)
  } catch (error) {
    const message = `invalid JSON: ${jsonFault(bytes)}`
    throw new EngineError('INVALID_ARGUMENT', message, { cause: error })
  }
}
