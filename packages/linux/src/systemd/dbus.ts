import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { EngineError } from '@ctr/errdefs'
import {
  type DbusMessage,
  type DbusValue,
  decodeMessage,
  ERROR,
  encodeMessage,
  METHOD_CALL,
  METHOD_RETURN,
  SIGNAL,
} from './dbus-message.ts'

const ANSWER_TIMEOUT_MS = 30_000
const GREETING_TIMEOUT_MS = 10_000
/** systemd's answer is a word and 32 digits. */
const GREETING_MAX = 1024

export interface DbusCall {
  readonly path: string
  readonly interface: string
  readonly member: string
  /** Types of `body`, e.g. `ss`. */
  readonly signature?: string
  readonly body?: readonly DbusValue[]
}

/** systemd answered with an error; `name` as D-Bus has it: `org.freedesktop.systemd1.NoSuchUnit`. */
export class DbusError extends EngineError {
  override readonly name: string = 'DbusError'
  readonly errorName: string

  constructor(errorName: string, message: string) {
    super('INTERNAL', message)
    this.errorName = errorName
  }
}

/**
 * A connection to one peer without a bus between: systemd's private socket, which takes root only and needs no
 * dbus-daemon. Calls are answered in order of their serials; signals go to who listens.
 */
export class DbusConnection implements Disposable {
  readonly #socket: Socket
  readonly #answers = new Map<
    number,
    { resolve: (body: readonly DbusValue[]) => void; reject: (error: Error) => void }
  >()
  readonly #listeners = new Set<(member: string, body: readonly DbusValue[]) => void>()
  #received: Buffer = Buffer.alloc(0)
  #serial = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    const lost = (cause?: unknown): void =>
      this.#fail(new Error('D-Bus: connection lost', { cause }))
    socket.on('error', lost)
    socket.on('close', () => lost())
  }

  /** UNAVAILABLE: nobody listens there. */
  static async open(path: string): Promise<DbusConnection> {
    const socket = createConnection(path)
    // A peer that says nothing, or closes.
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), GREETING_TIMEOUT_MS)
    try {
      await once(socket, 'connect')
      await authenticate(socket)
    } catch (cause) {
      socket.destroy()
      throw new EngineError('UNAVAILABLE', `cannot talk to systemd at ${path}`, { cause })
    } finally {
      clearTimeout(timer)
    }
    return new DbusConnection(socket)
  }

  /** DbusError; Error when the connection is lost or the answer takes too long. */
  async call(call: DbusCall): Promise<readonly DbusValue[]> {
    const serial = ++this.#serial
    const { promise, resolve, reject } = Promise.withResolvers<readonly DbusValue[]>()
    this.#answers.set(serial, { resolve, reject })
    const timer = setTimeout(
      () => reject(new Error(`systemd does not answer to ${call.member}`)),
      ANSWER_TIMEOUT_MS,
    )
    const { path, member, signature = '', body = [] } = call
    const header = {
      path,
      interface: call.interface,
      member,
      ...(signature === '' ? {} : { signature }),
    }
    this.#socket.write(encodeMessage({ type: METHOD_CALL, serial, header, body }))
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#answers.delete(serial)
    }
  }

  onSignal(listener: (member: string, body: readonly DbusValue[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    try {
      for (;;) {
        const decoded = decodeMessage(this.#received)
        if (decoded === undefined) return
        this.#received = decoded.rest
        this.#deliver(decoded.message)
      }
    } catch (error) {
      this.#fail(error as Error)
      this.#socket.destroy()
    }
  }

  #deliver({ type, header, body }: DbusMessage): void {
    if (type === SIGNAL) {
      for (const listener of this.#listeners) listener(String(header.member), body)
      return
    }
    const answer = this.#answers.get(Number(header.replySerial))
    if (type === METHOD_RETURN) answer?.resolve(body)
    if (type === ERROR) {
      const name = String(header.errorName)
      answer?.reject(new DbusError(name, String(body[0] ?? name)))
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#answers.values()) reject(error)
  }
}

/** D-Bus Specification, "Authentication Protocol": EXTERNAL, the uid in hex of its decimal digits. */
async function authenticate(socket: Socket): Promise<void> {
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex')
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`)
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk.toString('latin1')
    if (text.includes('\r\n') || text.length > GREETING_MAX) break
  }
  if (!text.startsWith('OK ')) throw new Error(`D-Bus: authentication refused: ${text.trim()}`)
  socket.write('BEGIN\r\n')
}
