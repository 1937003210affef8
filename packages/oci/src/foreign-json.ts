/** What registries take at most as a manifest. github.com/distribution/distribution registry/handlers/manifests.go */
export const MAX_FOREIGN_JSON_BYTES = 4 << 20

/** Documents of images, checkpoints and requests have ten levels. JSON.parse needs a second for 6 MB of brackets. */
const MAX_DEPTH = 100
/** An index of 10 000 manifests; anything that long holds up everybody who waits for the thread that reads it. */
const MAX_VALUES = 100_000

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/** JSON of somebody who may mean harm. SyntaxError also for what would take long to read, before it is read. */
export function parseForeignJson(bytes: Buffer): unknown {
  if (bytes.byteLength > MAX_FOREIGN_JSON_BYTES) {
    throw new SyntaxError(`the document is larger than ${MAX_FOREIGN_JSON_BYTES} bytes`)
  }
  assertShallow(bytes, MAX_VALUES)
  return JSON.parse(bytes.toString('utf8'))
}

/** SyntaxError for brackets in brackets in brackets. Looks at brackets and commas only: the text may be no JSON. */
export function assertShallow(bytes: Buffer, maxValues = Number.POSITIVE_INFINITY): void {
  let depth = 0
  let values = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) {
      at = endOfString(bytes, at)
    } else if (byte === COMMA) {
      values++
    } else if ((byte & 0xdf) === 0x5b) {
      // [ and {
      depth++
      values++
      if (depth > MAX_DEPTH) throw new SyntaxError('exceeded max depth')
    } else if ((byte & 0xdf) === 0x5d) {
      depth--
    }
  }
  if (values > maxValues) {
    throw new SyntaxError(`the document has more than ${maxValues} values`)
  }
}

/** Where the quote is that ends it, or behind the end. */
function endOfString(bytes: Buffer, begin: number): number {
  let at = bytes.indexOf(QUOTE, begin + 1)
  while (at !== -1 && isEscaped(bytes, begin, at)) at = bytes.indexOf(QUOTE, at + 1)
  return at === -1 ? bytes.length : at
}

/** An odd number of backslashes before it. */
function isEscaped(bytes: Buffer, begin: number, quote: number): boolean {
  let at = quote - 1
  while (at > begin && bytes[at] === BACKSLASH) at--
  return (quote - 1 - at) % 2 === 1
}
