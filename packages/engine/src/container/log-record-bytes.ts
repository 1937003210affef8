/**
 * The records that the shim writes, taken apart as bytes: no text is made of a line, which is ten times as fast as
 * JSON.parse and what a million lines need. `{"log":"TEXT\n","stream":"stdout","time":"…Z"}`
 */
const PREFIX = Buffer.from('{"log":"')
const STREAM = Buffer.from('","stream":"std')
const OUT = Buffer.from('out","time":"')
const ERR = Buffer.from('err","time":"')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE = 0x7d
const NEWLINE = 0x0a
const Z = 0x5a
const POINT = 0x2e
/** `2026-11-21T21:25:16` */
export const SECONDS_BYTES = 19
/** Of a time with nine digits after the point; Go leaves zeros at its end out, and then the point. */
export const FULL_TIME_BYTES = 30
/** What a backslash and this byte stand for; 0: nothing that is handled here. */
const ESCAPES = new Uint8Array(128)
for (const [letter, meaning] of [
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
] as const) {
  ESCAPES[letter.charCodeAt(0)] = meaning.charCodeAt(0)
}

/** Where things of the record are that was taken last. One object for all records. */
export interface TakenRecord {
  isStderr: boolean
  /** Of the time, within the input. */
  timeStart: number
  timeEnd: number
  /** End of the text that was written to the output. */
  textEnd: number
  /** Behind the newline. */
  next: number
}

/**
 * Takes the record at `start` of `lines`, and writes its text at `at` of `output`, which has room for a whole line. False:
 * it is not of this simple form (attributes, a character above U+007F as \u, damage); then what is behind `at` means nothing.
 */
export function takeRecord(
  lines: Uint8Array,
  start: number,
  output: Uint8Array,
  at: number,
  taken: TakenRecord,
): boolean {
  if (!matches(lines, start, PREFIX)) return false
  let from = start + PREFIX.length
  let to = at
  for (;;) {
    const byte = lines[from] as number
    if (byte === QUOTE) break
    // Control characters are escaped; undefined compares as neither.
    if (!(byte >= 0x20)) return false
    if (byte !== BACKSLASH) {
      output[to++] = byte
      from++
      continue
    }
    const letter = lines[from + 1] as number
    const isUnicode = letter === 0x75
    const meaning = isUnicode ? unicode(lines, from + 2) : (ESCAPES[letter] ?? 0)
    if (meaning === 0) return false
    output[to++] = meaning
    from += isUnicode ? 6 : 2
  }
  if (!matches(lines, from, STREAM)) return false
  from += STREAM.length
  const isStderr = lines[from] !== OUT[0]
  if (!matches(lines, from, isStderr ? ERR : OUT)) return false
  const timeStart = from + OUT.length
  let timeEnd = timeStart
  while (isOfTime(lines[timeEnd])) timeEnd++
  if (lines[timeEnd] !== QUOTE) return false
  const length = timeEnd - timeStart
  if (length <= SECONDS_BYTES || length > FULL_TIME_BYTES || lines[timeEnd - 1] !== Z) return false
  if (lines[timeStart + SECONDS_BYTES] !== (length === SECONDS_BYTES + 1 ? Z : POINT)) return false
  if (lines[timeEnd + 1] !== BRACE || lines[timeEnd + 2] !== NEWLINE) return false
  taken.isStderr = isStderr
  taken.timeStart = timeStart
  taken.timeEnd = timeEnd
  taken.textEnd = to
  taken.next = timeEnd + 3
  return true
}

function matches(lines: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++)
    if (lines[at + index] !== wanted[index]) return false
  return true
}

/** Digits, `-.:`, T and Z (and a slash). */
function isOfTime(byte = 0): boolean {
  return (byte >= 0x2d && byte <= 0x3a) || byte === 0x54 || byte === Z
}

/** A character of ASCII from four hexadecimal digits; 0: another one, or none. */
function unicode(lines: Uint8Array, at: number): number {
  if (lines[at] !== 0x30 || lines[at + 1] !== 0x30) return 0
  const code = hexDigit(lines[at + 2]) * 16 + hexDigit(lines[at + 3])
  return code > 0 && code < 0x80 ? code : 0
}

/** Large when it is none. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 0x1000
}
