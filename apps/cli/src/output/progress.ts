import type { ProgressMessage } from '@ctr/api'
import { formatSize } from '../format/size.ts'

/**
 * Shows a progress stream of pull, push, load or import (moby pkg/jsonmessage): one line per id that is rewritten on a
 * terminal, plain lines without. Throws the error that travels in the stream.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  options: {
    readonly write: (text: string) => void
    readonly isTerminal: boolean
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
    const text = options.isTerminal ? terminalText(message, rows) : plainText(message)
    if (text !== '') options.write(text)
  }
}

function plainText(message: ProgressMessage): string {
  if (message.stream !== undefined) return message.stream
  // Bars and counters are for terminals.
  if (hasBar(message) || message.status === undefined) return ''
  return `${message.id === undefined || message.id === '' ? '' : `${message.id}: `}${message.status}\n`
}

function hasBar({ progressDetail }: ProgressMessage): boolean {
  return (progressDetail?.current ?? 0) > 0 || (progressDetail?.total ?? 0) > 0
}

/** CSI n A/B: up and down; CSI 2 K: erase the line. */
function terminalText(message: ProgressMessage, rows: Map<string, number>): string {
  if (message.stream !== undefined) return message.stream
  const status = `${message.status ?? ''}${hasBar(message) ? ` ${bar(message)}` : ''}`
  const id = message.id ?? ''
  if (id === '') {
    rows.clear()
    return `${status}\n`
  }
  const line = `\u001b[2K\r${id}: ${status}`
  const row = rows.get(id)
  if (row === undefined) {
    rows.set(id, rows.size)
    return `${line}\n`
  }
  const up = rows.size - row
  return `\u001b[${up}A${line}\r\u001b[${up}B`
}

const BAR_WIDTH = 50

function bar({ progressDetail }: ProgressMessage): string {
  const { current = 0, total = 0 } = progressDetail ?? {}
  if (total <= 0) return formatSize(current).padStart(8)
  const filled = Math.min(Math.floor((current / total) * BAR_WIDTH), BAR_WIDTH)
  const head = filled < BAR_WIDTH ? '>' : ''
  const line = `${'='.repeat(filled)}${head}`.padEnd(BAR_WIDTH)
  return `[${line}] ${formatSize(current).padStart(8)}/${formatSize(total)}`
}
