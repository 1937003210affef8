import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '@ctr/errdefs'
import { shimBinaryPath } from './binary.ts'
import { connectUnix } from './connect.ts'
import { Connection, type ShimConnection } from './connection.ts'
import { encodeStart } from './encode.ts'
import type { Program } from './ops.ts'

const RECONNECT_DEADLINE_MS = 5000
const RECONNECT_PAUSE_MS = 10
const RESTART_PAUSE_MIN_MS = 50
const RESTART_PAUSE_MAX_MS = 5000

export interface SpawnerOptions {
  readonly binary?: string
  readonly socketPath: string
  readonly log?: (line: string) => void
}

/** What a task's program holds (its child's namespaces, forwards); disposing lets go of it. */
export interface ShimTask extends AsyncDisposable {
  readonly pid: number
}

/**
 * Owns the resident spawner process. The spawner ends when this process does, the shims that it started do not. If it
 * dies, it is started again; runs under way are not affected.
 */
export class Spawner implements AsyncDisposable {
  readonly #options: SpawnerOptions
  #process: ChildProcess | undefined
  #ready: Promise<void>
  #isClosed = false

  private constructor(options: SpawnerOptions) {
    this.#options = options
    this.#ready = this.#launch()
  }

  static async start(options: SpawnerOptions): Promise<Spawner> {
    const spawner = new Spawner(options)
    await spawner.#ready
    return spawner
  }

  /**
   * Runs a supervised program. Resolves when its process runs, or waits at `wait_start`. Rejects ShimError after
   * everything was undone. On abort the process is killed, and the reason is thrown when it has gone.
   */
  async run(program: Program, options: { signal?: AbortSignal } = {}): Promise<ShimConnection> {
    options.signal?.throwIfAborted()
    const runtimeDir = program[0]?.op === 'runtime_dir' ? program[0].path : undefined
    const connection = await this.#open(program, runtimeDir)
    const onAbort = (): void => connection.sendSignal(9)
    options.signal?.addEventListener('abort', onAbort)
    if (options.signal?.aborted === true) onAbort()
    try {
      await connection.opened
      if (options.signal?.aborted === true) await connection.exited.catch(() => undefined)
      options.signal?.throwIfAborted()
    } catch (error) {
      connection.close()
      options.signal?.throwIfAborted()
      throw error
    } finally {
      options.signal?.removeEventListener('abort', onAbort)
    }
    return connection
  }

  /** Runs a task: a program without `runtime_dir`. Resolves when all its operations have run; rejects ShimError. */
  async task(program: Program): Promise<ShimTask> {
    const connection = await this.#open(program, undefined)
    try {
      await connection.opened
    } catch (error) {
      connection.close()
      throw error
    }
    return {
      pid: connection.pid,
      async [Symbol.asyncDispose](): Promise<void> {
        connection.close()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#ready.catch(() => undefined)
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.stdin?.end()
    await ended
  }

  async #open(program: Program, runtimeDir: string | undefined): Promise<Connection> {
    const message = encodeStart(program)
    const socket = await this.#connect()
    const connection = new Connection(socket, runtimeDir, program)
    socket.write(message)
    return connection
  }

  /** The spawner may just be dead and about to be restarted: then the socket is there and refuses. */
  async #connect(): ReturnType<typeof connectUnix> {
    const deadline = Date.now() + RECONNECT_DEADLINE_MS
    for (;;) {
      await this.#ready
      try {
        return await connectUnix(this.#options.socketPath)
      } catch (error) {
        const isRestarting = isErrno(error, 'ECONNREFUSED', 'ENOENT') && !this.#isClosed
        if (!isRestarting || Date.now() > deadline) throw error
        await delay(RECONNECT_PAUSE_MS)
      }
    }
  }

  async #launch(): Promise<void> {
    const log = this.#options.log ?? ((): undefined => undefined)
    const child = spawn(
      this.#options.binary ?? shimBinaryPath,
      ['spawner', this.#options.socketPath],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.#process = child
    child.stdin.on('error', () => undefined) // it died: 'exit' follows
    createInterface({ input: child.stderr }).on('line', log)
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('error', reject)
      child.once('exit', (code, signal) =>
        reject(new Error(`spawner ended at its start: ${signal ?? code}`)),
      )
    })
    child.once('exit', (code, signal) => {
      if (this.#isClosed) return
      log(`spawner ended: ${signal ?? code}; starting it again`)
      this.#ready = this.#relaunch()
      this.#ready.catch(() => undefined) // run() meets the error
    })
  }

  async #relaunch(): Promise<void> {
    for (let pause = RESTART_PAUSE_MIN_MS; ; pause = Math.min(2 * pause, RESTART_PAUSE_MAX_MS)) {
      try {
        await this.#launch()
        return
      } catch (error) {
        if (this.#isClosed) throw error
        this.#options.log?.(`spawner: ${error instanceof Error ? error.message : String(error)}`)
        await delay(pause)
      }
    }
  }
}
