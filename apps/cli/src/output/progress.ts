import type { ProgressMessage } from '@ctr/api'
import { formatSize } from '../format/size.ts'

/**
 * Shows a progress stream of pull, push, load or import byte by byte as docker does (moby pkg/jsonmessage): one line per id that
 * is rewritten on a terminal, plain lines without. Throws the error that travels in the stream.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  options: {
    readonly write: (text: string) => void
    readonly isTerminal: boolean
    /** Of the terminal; asked for each bar, so that they follow its size. Absent: wide enough. */
    readonly columns?: () => number | undefined
    readonly onAux?: (aux: unknown) => void
  },
): Promise<void> {
  const rows = new Map<string, number>()
  for await (const message of messages) {
    const error = message.errorDetail?.message ?? message.error
    if (error !== undefined) throw new Error(error)
    if (message.aux !== undefined && message.aux !== null) {
      options.onAux?.(message.aux)
      continue
    }
    const text = options.isTerminal
      ? terminalText(message, rows, options.columns?.() ?? WIDE)
      : plainText(message)
    if (text !== '') options.write(text)
  }
}

/** moby's, where the size cannot be asked. */
const WIDE = 200

function plainText(message: ProgressMessage): string {
  // Bars and counters are for terminals.
  if (hasBar(message)) return ''
  return `${label(message)}${textOf(message)}`
}

function hasBar({ progressDetail }: ProgressMessage): boolean {
  return (progressDetail?.current ?? 0) > 0 || (progressDetail?.total ?? 0) > 0
}

function label({ id }: ProgressMessage): string {
  return id === undefined || id === '' ? '' : `${id}: `
}

function textOf({ stream, status }: ProgressMessage): string {
  if (stream !== undefined && stream !== '') return stream
  return status === undefined ? '' : `${status}\n`
}

/** CSI n A/B: up and down; CSI 2 K: erase the line. */
function terminalText(
  message: ProgressMessage,
  rows: Map<string, number>,
  columns: number,
): string {
  const { id = '', progressDetail } = message
  if (progressDetail === undefined) {
    // What was written before is left alone from here on.
    rows.clear()
    return `${label(message)}${textOf(message)}`
  }
  const status = `${label(message)}${message.status ?? ''} ${progressText(progressDetail, columns)}\r`
  const line = `\u001b[2K\r${status}`
  if (id === '') return line
  const isNew = !rows.has(id)
  if (isNew) rows.set(id, rows.size)
  const up = rows.size - (rows.get(id) ?? 0)
  return `${isNew ? '\n' : ''}\u001b[${up}A${line}\u001b[${up}B`
}

/** Where the bar has room. moby pkg/jsonmessage JSONProgress.String */
const BAR_COLUMNS = 110
const BAR_WIDTH = 50

function progressText(
  detail: NonNullable<ProgressMessage['progressDetail']>,
  columns: number,
): string {
  const { current = 0, total = 0, units = '' } = detail
  if (current <= 0 && total <= 0) return ''
  const amount = (count: number): string => (units === '' ? formatSize(count, 4) : String(count))
  const unit = units === '' ? '' : ` ${units}`
  const alone = units === '' ? amount(current).padStart(8) : `${current}${unit}`
  if (total <= 0) return alone
  const filled = Math.min(Math.trunc(Math.trunc((current / total) * 100) / 2), BAR_WIDTH)
  const box = `[${'='.repeat(filled)}>${' '.repeat(BAR_WIDTH - filled)}] `
  // More than there is: the total was wrong.
  const counts =
    current > total
      ? alone
      : `${units === '' ? amount(current).padStart(8) : current}/${amount(total)}${unit}`
  return `${columns > BAR_COLUMNS ? box : ''}${detail.hidecounts === true ? '' : counts}`
}
