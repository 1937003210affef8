import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Host } from '../config/hosts.ts'
import { SERVER_OPTIONS } from '../http/server.ts'
import type { Log } from '../log.ts'
import { listenOnPath, type SocketGroup } from './unix-socket.ts'

/** A client asks something else with what it has, after its ping; then it has had its answers. */
const REFUSING_MS = 300

/**
 * The Unix sockets, listened on before there is an engine: whoever connects while ctrd starts waits for its answer, and gets
 * the reason if it does not start.
 */
export class EarlySockets {
  readonly #sockets = new Map<string, EarlySocket>()

  /** Of all hosts or of none. Throws as `listenOnPath`. */
  static async open(hosts: readonly Host[], group: SocketGroup, log: Log): Promise<EarlySockets> {
    const opened = new EarlySockets()
    try {
      for (const host of hosts) {
        if (host.kind !== 'unix' || opened.#sockets.has(host.path)) continue
        const socket = new EarlySocket()
        await listenOnPath(socket.server, host.path, group, log)
        opened.#sockets.set(host.path, socket)
      }
    } catch (error) {
      opened.close()
      throw error
    }
    return opened
  }

  /** Once; undefined if there is none at this path. */
  take(path: string): EarlySocket | undefined {
    const socket = this.#sockets.get(path)
    this.#sockets.delete(path)
    return socket
  }

  /** There will be no daemon: those that nobody has taken. */
  async refuse(reason: string): Promise<void> {
    await Promise.all([...this.#sockets.values()].map((socket) => socket.refuse(reason)))
    this.close()
  }

  private close(): void {
    for (const [path, { server }] of this.#sockets) {
      server.close()
      server.closeAllConnections()
      rmSync(path, { force: true })
    }
    this.#sockets.clear()
  }
}

/** A server that keeps its connections waiting until `begin`. */
class EarlySocket {
  readonly server: Server = createServer(SERVER_OPTIONS)
  readonly #serveByNode = this.server.listeners('connection') as ((socket: Socket) => void)[]
  readonly #waiting = new Set<Socket>()

  constructor() {
    this.server.removeAllListeners('connection')
    this.server.on('connection', this.#keep)
  }

  readonly #keep = (socket: Socket): void => {
    this.#waiting.add(socket)
    socket.on('error', ignore)
    socket.once('close', () => this.#waiting.delete(socket))
  }

  /** To be called before other listeners of `connection` are added: Node's is the first again. */
  restore(): void {
    this.server.off('connection', this.#keep)
    for (const listener of this.#serveByNode) this.server.on('connection', listener)
  }

  /** Those who have waited, in their order. */
  begin(): void {
    for (const socket of this.#waiting) {
      socket.off('error', ignore)
      this.server.emit('connection', socket)
    }
    this.#waiting.clear()
  }

  async refuse(reason: string): Promise<void> {
    // What the kernel has for us already.
    await new Promise(setImmediate)
    const body = `${JSON.stringify({ message: `ctrd does not start: ${reason}` })}\n`
    this.restore()
    this.server.on('request', (_request, response) => {
      response.writeHead(503, { 'Content-Type': 'application/json' }).end(body)
    })
    const isAwaited = this.#waiting.size > 0
    this.begin()
    if (isAwaited) await new Promise((resolve) => setTimeout(resolve, REFUSING_MS))
  }
}

function ignore(): void {
  // whoever goes while it waits
}
