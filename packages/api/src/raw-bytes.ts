/**
 * Arguments and environment of a process are bytes, JSON has only text. A byte that is not part of valid UTF-8 travels
 * as the lone surrogate U+DC00 + byte (PEP 383, "surrogateescape"), which JSON writes as `\udcXX`. Text that is well
 * formed is itself. docs/decisions/0019-bytes-that-are-no-text.md
 */
const ESCAPE = 0xdc00

export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  let start = 0
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at)
    if (length > 0) {
      at += length
      continue
    }
    text += buffer.toString('utf8', start, at) + String.fromCharCode(ESCAPE + (buffer[at] ?? 0))
    at += 1
    start = at
  }
  return text + buffer.toString('utf8', start)
}

/** The reverse. Other lone surrogates become U+FFFD, as in every encoder. */
export function bytesOfText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  // With `u` the halves of a pair are no match.
  const parts = text.split(/([\udc80-\udcff])/u)
  return Buffer.concat(
    parts.map((part, index) =>
      index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - ESCAPE),
    ),
  )
}

/** Bytes of the valid sequence at `at`, or 0. RFC 3629 §4 */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const second = bytes[at + 1] ?? 0
  const [low, high] = SECOND[first] ?? [0x80, 0xbf]
  if (second < low || second > high) return 0
  for (let next = at + 2; next < at + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0
  }
  return length
}

/** Where the second byte has fewer values: overlong forms, surrogates, beyond U+10FFFF. */
const SECOND: Readonly<Record<number, readonly [number, number]>> = {
  0xe0: [0xa0, 0xbf],
  0xed: [0x80, 0x9f],
  0xf0: [0x90, 0xbf],
  0xf4: [0x80, 0x8f],
}
