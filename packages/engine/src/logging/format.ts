import type { SyslogFormat } from './options.ts'
import type { Piece } from './partial-lines.ts'

/** One piece of output: a line, or 16 KiB of a longer one. */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr'
  readonly timeNs: bigint
  /** Without its line feed. */
  readonly text: Buffer
  /** The line goes on in the next record. */
  readonly isPartial: boolean
}

const INFO = 6
const ERROR = 3

function severity({ stream }: LogRecord): number {
  return stream === 'stderr' ? ERROR : INFO
}

export interface SyslogContext {
  readonly facility: number
  readonly format: SyslogFormat
  readonly tag: string
  readonly hostname: string
  readonly pid: number
  /** RFC 5425: the length first. */
  readonly isLengthFramed: boolean
}

/** RFC 3164 and RFC 5424 as Docker writes them. moby daemon/logger/syslog, github.com/RackSec/srslog */
export function syslogMessage(record: LogRecord, context: SyslogContext): Buffer {
  const { tag, hostname, pid } = context
  const priority = context.facility * 8 + severity(record)
  const header = ((): string => {
    switch (context.format) {
      case 'unix':
        return `<${priority}>${stamp(record.timeNs)} ${tag}[${pid}]: `
      case 'rfc3164':
        return `<${priority}>${stamp(record.timeNs)} ${hostname} ${tag}[${pid}]: `
      case 'rfc5424':
        return `<${priority}>1 ${isoTime(record.timeNs, 0)} ${hostname} ${tag} ${pid} ${tag} - `
      case 'rfc5424micro':
        return `<${priority}>1 ${isoTime(record.timeNs, 6)} ${hostname} ${tag} ${pid} ${tag} - `
    }
  })()
  const message = Buffer.concat([Buffer.from(header), record.text, Buffer.from('\n')])
  if (!context.isLengthFramed) return message
  return Buffer.concat([Buffer.from(`${message.byteLength} `), message])
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** RFC 3164 §4.1.2: local time, the day padded with a blank. */
function stamp(timeNs: bigint): string {
  const date = new Date(Number(timeNs / 1_000_000n))
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock}`
}

function isoTime(timeNs: bigint, digits: number): string {
  const whole = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19)
  const fraction = String(timeNs % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, digits)
  return `${whole}${digits === 0 ? '' : `.${fraction}`}Z`
}

/** The native protocol of journald: systemd.io/JOURNAL_NATIVE_PROTOCOL */
export function journalMessage(
  record: LogRecord,
  fields: Readonly<Record<string, string>>,
  piece?: Piece,
): Buffer {
  const all: [string, Buffer][] = [
    ['MESSAGE', record.text],
    ['PRIORITY', Buffer.from(String(severity(record)))],
    ['SYSLOG_TIMESTAMP', Buffer.from(isoTime(record.timeNs, 9))],
    ...Object.entries({ ...fields, ...pieceFields(piece) }).map(
      ([name, value]): [string, Buffer] => [name, Buffer.from(value)],
    ),
  ]
  return Buffer.concat(all.flatMap(([name, value]) => field(name, value)))
}

/** moby daemon/logger/journald Log */
function pieceFields(piece: Piece | undefined): Record<string, string> {
  if (piece === undefined) return {}
  return {
    ...(piece.isLast ? {} : { CONTAINER_PARTIAL_MESSAGE: 'true' }),
    CONTAINER_PARTIAL_ID: piece.id,
    CONTAINER_PARTIAL_ORDINAL: String(piece.ordinal),
    CONTAINER_PARTIAL_LAST: String(piece.isLast),
  }
}

const LINE_FEED = 10

function field(name: string, value: Buffer): Buffer[] {
  const end = Buffer.from('\n')
  if (!value.includes(LINE_FEED)) return [Buffer.from(`${name}=`), value, end]
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(value.byteLength))
  return [Buffer.from(`${name}\n`), length, value, end]
}

/** A name that journald takes: capitals, digits and `_`, not beginning with `_` or a digit. */
export function journalField(name: string): string {
  const text = name
    .toUpperCase()
    .replace(/[^A-Z0-9_]/g, '_')
    .replace(/^[_0-9]+/, '')
  return text.slice(0, 64)
}
