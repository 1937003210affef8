import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { FrameDecoder, STDERR } from '@ctr/api'
import { isErrno } from '@ctr/errdefs'
import type { ContainerRecord } from '../container/container.ts'
import { followLog } from '../container/logs.ts'
import type { Engine } from '../engine.ts'
import { loggedAttributes } from './attributes.ts'
import { datagramSender, journalSocketPath, openSyslog, type Sender } from './destination.ts'
import { journalField, journalMessage, type LogRecord, syslogMessage } from './format.ts'
import { type LogDestination, parseDriverSettings } from './options.ts'
import { PartialLines } from './partial-lines.ts'
import { renderTag } from './tag.ts'

const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 30_000
/** For what is left of a container that is to be removed. */
const DRAIN_MS = 2_000

/**
 * Sends what containers write to journald and syslog. The shim writes the log file, whatever becomes of this process;
 * this follows the file and remembers how far it came, so a new engine goes on where the old one ended (what was sent
 * within the last moments before a kill comes twice). A destination that is away stops nobody: the file waits, and its
 * rotation is the bound of what waits.
 */
export class LogForwarders implements Disposable {
  readonly #running = new Map<
    string,
    { readonly abort: AbortController; readonly done: Promise<void> }
  >()
  #engine: Engine | undefined
  #listening: Disposable | undefined

  begin(engine: Engine): void {
    this.#engine = engine
    this.#listening = engine.events.listen(({ type, action, actorId }) => {
      if (type === 'container' && action === 'start') this.#follow(actorId)
    })
  }

  /** After recovery: also of those that have ended, what was not sent yet. */
  resume(): void {
    for (const { id } of this.#engine?.containers.all() ?? []) this.#follow(id)
  }

  /** Before the log goes: what is in it is sent, if that can be done in time. */
  async drain(id: string): Promise<void> {
    const running = this.#running.get(id)
    const engine = this.#engine
    if (running === undefined || engine === undefined) return
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    using _timer = engine.clock.after(DRAIN_MS, () => resolve('late'))
    if ((await Promise.race([running.done, late])) !== 'late') return
    engine.log.warn({ containerId: id }, 'a log could not be sent in time and is lost')
    running.abort.abort()
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]()
    for (const { abort } of this.#running.values()) abort.abort()
  }

  #follow(id: string): void {
    const engine = this.#engine
    const container = engine?.containers.byId(id)
    if (engine === undefined || container === undefined) return
    const destination = parseDriverSettings(container.hostConfig)?.destination
    if (destination === undefined) return
    const before = this.#running.get(id)
    const abort = new AbortController()
    const done = (async () => {
      // Of the run before: it ends with it.
      await before?.done
      await forward(engine, container, destination, abort.signal)
    })()
      .catch((err: unknown) => engine.log.error({ containerId: id, err }, 'forward a log'))
      .finally(() => {
        if (this.#running.get(id)?.abort === abort) this.#running.delete(id)
      })
    this.#running.set(id, { abort, done })
  }
}

/** Until the end of the run, and of the log. */
async function forward(
  engine: Engine,
  container: ContainerRecord,
  destination: LogDestination,
  signal: AbortSignal,
): Promise<void> {
  const place = new Position(join(engine.containers.directory(container.id), 'log-sent'))
  const encode = encoder(container, destination)
  let delayMs = FIRST_RETRY_MS
  while (!signal.aborted) {
    let sender: Sender | undefined
    try {
      sender = await open(destination)
      for await (const records of readRecords(engine, container, place.timeNs + 1n, signal)) {
        for (const record of records) {
          if (signal.aborted) return
          await sender.send(encode(record))
          place.timeNs = record.timeNs
        }
        place.save()
        delayMs = FIRST_RETRY_MS
      }
      return
    } catch (err) {
      if (signal.aborted || engine.containers.byId(container.id) === undefined) return
      engine.log.warn({ containerId: container.id, err, delayMs }, 'the log destination failed')
      place.save()
      await pause(engine, delayMs, signal)
      delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    } finally {
      sender?.close()
    }
  }
}

async function open(destination: LogDestination): Promise<Sender> {
  switch (destination.kind) {
    case 'journald':
      return datagramSender(journalSocketPath())
    case 'syslog':
      return await openSyslog(destination.address, destination.tls)
  }
}

function encoder(
  container: ContainerRecord,
  destination: LogDestination,
): (record: LogRecord) => Buffer {
  const options = container.hostConfig.LogConfig?.Config ?? {}
  const tag = renderTag(options['tag'], container)
  switch (destination.kind) {
    case 'journald': {
      const attributes = Object.entries(loggedAttributes(container.config, options))
        .map(([name, value]) => [journalField(name), value] as const)
        .filter(([name]) => name !== '')
      const fields = {
        ...Object.fromEntries(attributes),
        CONTAINER_ID: container.id.slice(0, 12),
        CONTAINER_ID_FULL: container.id,
        CONTAINER_NAME: container.name,
        CONTAINER_TAG: tag,
        IMAGE_NAME: container.imageReference,
        SYSLOG_IDENTIFIER: tag,
      }
      const lines = new PartialLines()
      return (record) => journalMessage(record, fields, lines.pieceOf(record))
    }
    case 'syslog': {
      const { facility, format, address } = destination
      const isLengthFramed = address.protocol === 'tcp+tls' && format.startsWith('rfc5424')
      const context = {
        facility,
        format,
        tag,
        hostname: hostname(),
        pid: process.pid,
        isLengthFramed,
      }
      return (record) => syslogMessage(record, context)
    }
  }
}

async function* readRecords(
  engine: Engine,
  container: ContainerRecord,
  sinceNs: bigint,
  signal: AbortSignal,
): AsyncGenerator<LogRecord[]> {
  const frames = new FrameDecoder()
  for await (const chunk of followLog(engine, container, sinceNs, signal)) {
    yield frames.push(chunk).map(({ stream, payload }) => toRecord(stream, payload))
  }
}

/** `TIME text` */
function toRecord(stream: number, payload: Buffer): LogRecord {
  const blank = payload.indexOf(0x20)
  const isPartial = payload.at(-1) !== 0x0a
  return {
    stream: stream === STDERR ? 'stderr' : 'stdout',
    timeNs: parseTime(payload.toString('latin1', 0, blank)),
    text: payload.subarray(blank + 1, isPartial ? payload.byteLength : payload.byteLength - 1),
    isPartial,
  }
}

/** `2026-11-22T01:02:03.123456789Z` */
function parseTime(text: string): bigint {
  const [seconds = '', fraction = ''] = text.replace(/Z$/, '').split('.')
  const ms = Date.parse(`${seconds}Z`)
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9) || '0')
}

/** Time of the last record that was sent; in the container's directory, with which it goes. */
class Position {
  timeNs: bigint
  #savedNs: bigint
  readonly #path: string

  constructor(path: string) {
    this.#path = path
    this.timeNs = read(path)
    this.#savedNs = this.timeNs
  }

  save(): void {
    if (this.timeNs === this.#savedNs) return
    try {
      writeFileSync(`${this.#path}.tmp`, `${this.timeNs}\n`, { mode: 0o600 })
      renameSync(`${this.#path}.tmp`, this.#path)
      this.#savedNs = this.timeNs
    } catch (error) {
      // The container has been removed.
      if (!isErrno(error, 'ENOENT')) throw error
    }
  }
}

function read(path: string): bigint {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0n
    throw error
  }
}

async function pause(engine: Engine, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => resolve()
  using _timer = engine.clock.after(delayMs, done)
  signal.addEventListener('abort', done, { once: true })
  await promise
  signal.removeEventListener('abort', done)
}
