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

export interface Formatted {
  readonly output: Buffer
  /** A record was after `until`: there is nothing more to come. */
  readonly isOver: boolean
}

/** Formats lines of a json-file log. Lines that are no records (cut by a power failure) are left out. */
export function formatRecords(lines: readonly Buffer[], format: RecordFormat): Formatted {
  const output = new Output()
  for (const line of lines) {
    const record = parseRecord(line)
    if (record === undefined) continue
    const time = padTime(record.time ?? '')
    if (format.until !== '' && time > format.until) return { output: output.take(), isOver: true }
    if (time < format.since) continue
    const stream = record.stream === 'stderr' ? STDERR : STDOUT
    if (!(stream === STDOUT ? format.stdout : format.stderr)) continue
    let text = record.log ?? ''
    if (format.details) text = `${details(record.attrs)} ${text}`
    if (format.timestamps) text = `${time} ${text}`
    output.add(text, format.isRaw ? undefined : stream)
  }
  return { output: output.take(), isOver: false }
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
  if (time.length === 30) return time
  const match = /^(.*?)(?:\.(\d+))?Z$/.exec(time)
  return match === null ? time : `${match[1]}.${(match[2] ?? '').padEnd(9, '0').slice(0, 9)}Z`
}

/** `2026-11-21T21:25:16.040087385Z` */
export function formatTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`
}

/** `a=1,b=2`, sorted, as Docker's. */
function details(attributes: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(attributes ?? {})
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .sort()
    .join(',')
}

/** One growing buffer: a million small ones would cost more than the formatting. */
class Output {
  #buffer = Buffer.allocUnsafe(64 * 1024)
  #length = 0

  add(text: string, stream: number | undefined): void {
    const header = stream === undefined ? 0 : HEADER_BYTES
    // UTF-8 takes three bytes at most for a UTF-16 unit.
    this.#reserve(header + text.length * 3)
    const bytes = this.#buffer.write(text, this.#length + header, 'utf8')
    if (stream !== undefined) {
      this.#buffer.writeUInt32BE(stream * 0x1000000, this.#length)
      this.#buffer.writeUInt32BE(bytes, this.#length + 4)
    }
    this.#length += header + bytes
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}
