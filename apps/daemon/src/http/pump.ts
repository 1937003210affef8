import type { Duplex } from 'node:stream'
import { countBuffer } from '@ctr/engine'
import { DetachScanner } from './detach-keys.ts'
import { farewell } from './farewell.ts'
import { leaveWhenGone } from './half-closed.ts'
import { unframed } from './unframe.ts'

/** How long a process may take to read what a client has left behind. */
const FAREWELL_MS = 5000

export interface PumpOptions {
  /** The user's side: a connection taken over, or a WebSocket. */
  readonly client: Duplex
  /** The process's side; its bytes already have the format that the client expects. */
  readonly process: Duplex
  /** Client bytes are the process's stdin. Without it they are dropped. */
  readonly stdin: boolean
  /** The key sequence that ends the attachment; only with a terminal. */
  readonly detachKeys?: readonly number[] | undefined
  /** What is sent after the last byte of output, asked for then; the client's side stays open until it is there. */
  readonly epilogue?: (() => Promise<Buffer>) | undefined
  /** Take Docker's frames off: what `/attach/ws` sends without a terminal. */
  readonly unframe?: boolean
}

/** Joins a client and a process until one has gone; resolves when both sides are closed. */
export async function pump(o: PumpOptions): Promise<'ended' | 'detached'> {
  const { client, process } = o
  let outcome: 'ended' | 'detached' = 'ended'
  const closed = Promise.all([whenClosed(client), whenClosed(process)])
  // Both sides may be reset at any time; `close` follows.
  client.on('error', () => undefined)
  process.on('error', (error) => client.destroy(error))
  client.on('close', () => leave(client, process))
  const onEnd = (): void => {
    if (o.epilogue === undefined) farewell(client)
    else void tell(client, o.epilogue)
  }
  if (process.closed) onEnd()
  else process.on('close', onEnd)
  // It went while the process was being started.
  if (client.closed) leave(client, process)
  else
    forward(o, () => {
      outcome = 'detached'
      process.destroy()
    })
  await closed
  return outcome
}

function forward(o: PumpOptions, detach: () => void): void {
  forwardOutput(o)
  if (o.stdin) forwardInput(o, detach)
  else o.client.resume()
  if (o.client.readableEnded) leaveWhenGone(o.client)
  else o.client.once('end', () => leaveWhenGone(o.client))
}

function whenClosed(stream: Duplex): Promise<void> {
  if (stream.closed) return Promise.resolve()
  return new Promise((resolve) => stream.once('close', () => resolve()))
}

function forwardOutput({ client, process, unframe, epilogue }: PumpOptions): void {
  if (unframe !== true) {
    process.pipe(client, { end: epilogue === undefined })
    // Half open it would stay: the client waits for the epilogue, and that for `close`.
    if (epilogue === undefined) return
    // Output without a byte may have ended before there was a client: Node says so to nobody, and not again.
    if (process.readableEnded) process.end()
    else process.once('end', () => process.end())
    return
  }
  const payloads = unframed()
  payloads.on('error', (error) => client.destroy(error))
  process.pipe(payloads).pipe(client)
}

function forwardInput({ client, process, detachKeys }: PumpOptions, detach: () => void): void {
  const scanner = detachKeys === undefined ? undefined : new DetachScanner(detachKeys)
  client.on('data', (chunk: Buffer) => {
    countBuffer(chunk.length)
    const { input, detached } = scanner?.push(chunk) ?? { input: chunk, detached: false }
    if (input.byteLength > 0 && !process.write(input)) client.pause()
    if (detached) detach()
  })
  process.on('drain', () => client.resume())
  const end = () => {
    const held = scanner?.end()
    if (held !== undefined && held.byteLength > 0) process.write(held)
    process.end()
  }
  // Input without a byte ends while the process is being started: Node says so to nobody, and not again.
  if (client.readableEnded) end()
  else client.once('end', end)
}

/** Without an epilogue after all, the client sees the end without one. */
async function tell(client: Duplex, epilogue: () => Promise<Buffer>): Promise<void> {
  const bytes = await epilogue().catch(() => undefined)
  if (bytes !== undefined && client.writable) client.write(bytes)
  farewell(client)
}

/** The client has gone. What it had written still reaches the process; output has no reader any more. */
function leave(client: Duplex, process: Duplex): void {
  if (process.destroyed) return
  process.unpipe()
  process.resume()
  const deadline = setTimeout(() => process.destroy(), FAREWELL_MS)
  process.once('close', () => clearTimeout(deadline))
  process.end(() => process.destroy())
}
