import { Demultiplexer, type RawStream, REPORT, STDERR, SYSTEM_ERROR } from '@ctr/client'
import { OutputBatch } from '../output/batch.ts'
import { writeErr, writeOut } from '../output/write.ts'
import { DetachKeyFilter } from '../terminal/detach-keys.ts'
import { enterRawMode } from '../terminal/raw-mode.ts'
import { exitOnSignals, onResize } from '../terminal/signals.ts'
import { type TerminalSize, terminalSize } from '../terminal/size.ts'
import { readStdin } from '../terminal/stdin.ts'

/** Joins our stdio with an attached or exec'd process until its output ends or the user detaches. */
export interface SessionOptions {
  readonly stream: RawStream
  readonly hasTty: boolean
  readonly stdin: boolean
  readonly detachKeys: Uint8Array
  /** Signals end the client (they are not forwarded): the terminal is given back first. */
  readonly exitOnSignals: boolean
  /** With a terminal: told at the start and whenever the window changes. */
  readonly resize?: (size: TerminalSize) => Promise<void>
  readonly onFirstByte?: () => void
  /** Of `POST /containers/run`: the report comes in parts. Without a terminal. */
  readonly onReport?: (part: Uint8Array) => void
}

type SessionEnd = 'ended' | 'detached'

/** Raw mode from the call on, until `finished` settles. */
export interface Session {
  readonly finished: Promise<SessionEnd>
  /** The process runs: sends the size of the window. */
  sendSize(): void
  /** Gives the terminal back without waiting for the stream. */
  abandon(): void
}

export function openSession(options: SessionOptions): Session {
  const { stream, hasTty, resize } = options
  const releases: (() => void)[] = []
  const release = (): void => {
    for (const undo of releases.splice(0).reverse()) undo()
  }
  if (hasTty && options.stdin) {
    if (options.exitOnSignals) releases.push(exitOnSignals())
    releases.push(enterRawMode())
  }
  const sendSize = (): void => {
    const size = hasTty ? terminalSize() : undefined
    if (size === undefined || resize === undefined) return
    resize(size).catch(() => {
      // Too early or too late: the process does not run. The next change is sent again.
    })
  }
  if (hasTty && resize !== undefined) releases.push(onResize(sendSize))
  // Closing the connection ends the output too: the end that came first is the one that counts.
  const detached = Promise.withResolvers<SessionEnd>()
  if (options.stdin) void pumpInput(options, () => detached.resolve('detached'))
  const finished = Promise.race([detached.promise, pumpOutput(options)]).finally(release)
  finished.catch(() => {
    // Reported to whoever awaits it.
  })
  const abandon = (): void => {
    release()
    stream.destroy()
  }
  return { finished, sendSize, abandon }
}

async function pumpOutput(options: SessionOptions): Promise<SessionEnd> {
  const { stream, hasTty, onFirstByte, onReport } = options
  const write = hasTty ? writeOut : demultiplexedWriter(onReport)
  let isFirst = true
  for await (const chunk of stream.input) {
    if (isFirst) onFirstByte?.()
    isFirst = false
    write(chunk)
  }
  return 'ended'
}

export function demultiplexedWriter(
  onReport?: (part: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  const lastKind = onReport === undefined ? SYSTEM_ERROR : REPORT
  const batch = new OutputBatch()
  const demultiplexer = new Demultiplexer((kind, part) => {
    if (kind === SYSTEM_ERROR)
      throw new Error(`error from daemon in stream: ${Buffer.from(part).toString()}`)
    if (kind === STDERR) batch.add(writeErr, part)
    else if (kind === REPORT) onReport?.(part)
    else batch.add(writeOut, part)
  }, lastKind)
  return (chunk) => {
    try {
      demultiplexer.push(chunk)
    } finally {
      batch.flush()
    }
  }
}

/** End-of-file closes the process's stdin; the detach keys end the session. Never rejects. */
async function pumpInput(
  { stream, hasTty, detachKeys }: SessionOptions,
  onDetach: () => void,
): Promise<void> {
  const filter = new DetachKeyFilter(hasTty ? detachKeys : new Uint8Array(0))
  try {
    for await (const chunk of readStdin()) {
      const { bytes, isDetached } = filter.push(chunk)
      if (bytes.length > 0) await stream.write(bytes)
      if (!isDetached) continue
      onDetach()
      stream.destroy()
      return
    }
  } catch {
    // A terminal that hung up reads as an error: end of input all the same.
  }
  stream.end()
}
