import { FULL_TIME_BYTES, SECONDS_BYTES, type TakenRecord, takeRecord } from './log-record-bytes.ts'

/** Which records are wanted, and how they are written. */
export interface RecordFormat {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly timestamps: boolean
  /** Put the record's attributes (`--log-opt labels=…`) before the text. */
  readonly details: boolean
  /** A terminal's output: the text alone. Else each record is a frame of Docker's multiplexed stream. */
  readonly isRaw: boolean
  /** Both ends included; as `formatTime` writes them. Empty: no bound. */
  readonly since: string
  readonly until: string
}

interface LogRecord {
  readonly log?: string
  readonly stream?: string
  readonly time?: string
  readonly attrs?: Readonly<Record<string, string>>
}

const STDOUT = 1
const STDERR = 2
const HEADER_BYTES = 8
const NEWLINE = 0x0a
const SPACE = 0x20
const POINT = 0x2e
const ZERO = 0x30
const LETTER_Z = 0x5a

export interface Formatted {
  readonly output: Buffer
  /** A record was after `until`: there is nothing more to come. */
  readonly isOver: boolean
}

/** Formats whole lines of a json-file log. Lines that are no records (cut by a power failure) are left out. */
export function formatRecords(lines: Buffer, format: RecordFormat): Formatted {
  const output = new Output(lines.length)
  const taken: TakenRecord = { isStderr: false, timeStart: 0, timeEnd: 0, textEnd: 0, next: 0 }
  for (let start = 0; start < lines.length; ) {
    let verdict = format.details ? 'other' : output.take(lines, start, format, taken)
    if (verdict === 'other') {
      taken.next = lines.indexOf(NEWLINE, start) + 1
      verdict = addParsed(output, lines.subarray(start, taken.next - 1), format)
    }
    if (verdict === 'over') return { output: output.bytes(), isOver: true }
    start = taken.next
  }
  return { output: output.bytes(), isOver: false }
}

/** Any record that JSON can write. */
function addParsed(output: Output, line: Buffer, format: RecordFormat): 'taken' | 'over' {
  const record = parseRecord(line)
  if (record === undefined) return 'taken'
  const time = padTime(record.time ?? '')
  if (format.until !== '' && time > format.until) return 'over'
  if (time < format.since) return 'taken'
  const stream = record.stream === 'stderr' ? STDERR : STDOUT
  if (!(stream === STDOUT ? format.stdout : format.stderr)) return 'taken'
  let text = record.log ?? ''
  if (format.details) text = `${details(record.attrs)} ${text}`
  if (format.timestamps) text = `${time} ${text}`
  output.add(text, format.isRaw ? undefined : stream)
  return 'taken'
}

/** Time of a record, for finding out whether a file is newer than what was read. Undefined: no record. */
export function recordTime(line: Buffer): string | undefined {
  const time = parseRecord(line)?.time
  return time === undefined ? undefined : padTime(time)
}

function parseRecord(line: Buffer): LogRecord | undefined {
  try {
    const record: unknown = JSON.parse(line.toString('utf8'))
    return typeof record === 'object' && record !== null ? record : undefined
  } catch {
    return undefined
  }
}

/** RFC 3339 with nine digits, so that times compare as texts. */
function padTime(time: string): string {
  if (time.length === FULL_TIME_BYTES) return time
  const match = /^(.*?)(?:\.(\d+))?Z$/.exec(time)
  return match === null ? time : `${match[1]}.${(match[2] ?? '').padEnd(9, '0').slice(0, 9)}Z`
}

/** `2026-11-21T21:25:16.040087385Z` */
export function formatTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`
}

/** As `padTime`, and a space. The time has 20 to 30 bytes. */
function putTime(output: Buffer, at: number, lines: Buffer, taken: TakenRecord): void {
  const { timeStart, timeEnd } = taken
  for (let index = 0; index < FULL_TIME_BYTES; index++) {
    const from = timeStart + index
    output[at + index] = from < timeEnd - 1 ? (lines[from] as number) : ZERO
  }
  output[at + SECONDS_BYTES] = POINT
  output[at + FULL_TIME_BYTES - 1] = LETTER_Z
  output[at + FULL_TIME_BYTES] = SPACE
}

/** `a=1,b=2`, sorted, as Docker's. */
function details(attributes: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(attributes ?? {})
    .map(([key, value]) => `${queryEscape(key)}=${queryEscape(value)}`)
    .sort()
    .join(',')
}

/** One buffer for a block of lines: a million small ones would cost more than the formatting. */
class Output {
  #buffer: Buffer
  #length = 0

  constructor(bytes: number) {
    // A record is longer than its text with a header and a time.
    this.#buffer = Buffer.allocUnsafeSlow(bytes + HEADER_BYTES + FULL_TIME_BYTES + 1)
  }

  /** Takes the record at `start` if it is of the simple form. */
  take(
    lines: Buffer,
    start: number,
    format: RecordFormat,
    taken: TakenRecord,
  ): 'taken' | 'other' | 'over' {
    const header = format.isRaw ? 0 : HEADER_BYTES
    const time = format.timestamps ? FULL_TIME_BYTES + 1 : 0
    const text = this.#length + header + time
    this.#reserve(header + time + lines.length - start)
    if (!takeRecord(lines, start, this.#buffer, text, taken)) return 'other'
    if (format.since !== '' || format.until !== '') {
      const at = padTime(lines.toString('latin1', taken.timeStart, taken.timeEnd))
      if (format.until !== '' && at > format.until) return 'over'
      if (at < format.since) return 'taken'
    }
    if (!(taken.isStderr ? format.stderr : format.stdout)) return 'taken'
    if (time > 0) putTime(this.#buffer, this.#length + header, lines, taken)
    if (header > 0) {
      this.#putHeader(taken.isStderr ? STDERR : STDOUT, taken.textEnd - this.#length - header)
    }
    this.#length = taken.textEnd
    return 'taken'
  }

  add(text: string, stream: number | undefined): void {
    const header = stream === undefined ? 0 : HEADER_BYTES
    // UTF-8 takes three bytes at most for a UTF-16 unit.
    this.#reserve(header + text.length * 3)
    const bytes = this.#buffer.write(text, this.#length + header, 'utf8')
    if (stream !== undefined) this.#putHeader(stream, bytes)
    this.#length += header + bytes
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #putHeader(stream: number, bytes: number): void {
    const buffer = this.#buffer
    const at = this.#length
    buffer[at] = stream
    buffer[at + 1] = 0
    buffer[at + 2] = 0
    buffer[at + 3] = 0
    buffer[at + 4] = bytes >>> 24
    buffer[at + 5] = bytes >>> 16
    buffer[at + 6] = bytes >>> 8
    buffer[at + 7] = bytes
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

/** Go's url.QueryEscape. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
