import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno, PROCESS_LIMIT } from '@ctr/errdefs'
import { shimBinaryPath } from './binary.ts'
import { connectUnix } from './connect.ts'
import { Connection, noAnswer, type ShimConnection } from './connection.ts'
import { type EncodedProgram, encode } from './encode.ts'
import type { Program } from './ops.ts'
import { findShim, isRunning, isStopped, killShim, killStoppedSpares } from './shim-process.ts'
import { SpareConnection, type SpawnerConnection } from './spare.ts'
import { StreamingConnection } from './streaming-connection.ts'

const RECONNECT_DEADLINE_MS = 5000
const RECONNECT_PAUSE_MS = 10
/** So often a socket may be missing in a row. */
const MISSING_MAX = 3
const RESTART_PAUSE_MIN_MS = 50
const RESTART_PAUSE_MAX_MS = 5000
/** Until the end of a spawner whose connection has closed is to be seen. */
const END_NOTICE_MS = 1000
const ATTEMPTS_MAX = 5
const WATCH_MS = 5000
/** Who has not read its program by then, and is stopped, is not waited for. */
const SPARE_WATCH_MS = 1000
/** A start may have to wait for a mount of a slow server, but not for ever. */
const START_TIMEOUT_MS = 120_000

export interface SpawnerOptions {
  readonly binary?: string
  readonly socketPath: string
  readonly log?: (line: string) => void
  /** Somebody (perhaps we) has deleted something from the host's nftables ruleset, or may have without our notice. */
  readonly onRulesetLoss?: () => void
}

export interface RunOptions {
  readonly signal?: AbortSignal
  /** The program has reached `expect_attach`: its clients can attach. Before it runs, once, unless it fails before. */
  readonly onListening?: () => void
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
  /** Settles when #process has ended. */
  #ended: Promise<unknown> = Promise.resolve()
  #ready: Promise<void>
  readonly #spare = new SpareConnection()
  /** How often those were ended that somebody had stopped. */
  #endedSpares = 0
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
   * everything was undone, ETIMEDOUT if the shim was stopped or took too long and was killed: its cgroups stay. On abort
   * the process is killed, and the reason is thrown when it has gone.
   */
  async run(program: Program | EncodedProgram, options: RunOptions = {}): Promise<ShimConnection> {
    return await this.#run('message' in program ? program : encode(program), options)
  }

  /** As `run`, for a program that gives its output to the starter (`Stdio.toStarter`). */
  async runStreaming(program: Program): Promise<StreamingConnection> {
    let streaming: StreamingConnection | undefined
    const encoded = encode(program)
    await this.#run(encoded, {}, (sent, runtimeDir) => {
      streaming = new StreamingConnection(sent, runtimeDir ?? '')
      // While this one works and we wait: what is quick has ended when it says that it has started.
      this.#prepareSpare(encoded)
    })
    if (streaming === undefined) throw new Error('a program was run without being sent')
    return streaming
  }

  async #run(
    program: EncodedProgram,
    options: RunOptions,
    onSent: (connection: Connection, runtimeDir: string | undefined) => void = () => undefined,
  ): Promise<Connection> {
    options.signal?.throwIfAborted()
    let latest: Connection | undefined
    const onAbort = (): void => latest?.sendSignal(9)
    options.signal?.addEventListener('abort', onAbort)
    try {
      const connection = await this.#begin(program, { usesSpare: true }, (sent) => {
        latest = sent
        onSent(sent, program.runtimeDir)
        if (options.onListening !== undefined) sent.onListening = options.onListening
        if (options.signal?.aborted === true) onAbort()
      })
      if (options.signal?.aborted !== true) return connection
      await connection.exited.catch(() => undefined)
      connection.close()
      throw options.signal.reason
    } catch (error) {
      options.signal?.throwIfAborted()
      throw error
    } finally {
      options.signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Runs a task: a program without `runtime_dir`. Resolves when all its operations have run; rejects ShimError. */
  async task(program: Program): Promise<ShimTask> {
    // What makes no process has no use for what is ready for the next start, and is not what the next one is like.
    const isChore = !program.some(({ op }) => op === 'clone')
    const connection = await this.#begin(encode(program), { usesSpare: !isChore })
    return {
      pid: connection.pid,
      async [Symbol.asyncDispose](): Promise<void> {
        connection.close()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#spare[Symbol.dispose]()
    await this.#ready.catch(() => undefined)
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.stdin?.end()
    await ended
  }

  /** Sends the program and waits for how it goes; sends it again if the spawner died before it had made a shim for it. */
  async #begin(
    program: EncodedProgram,
    { usesSpare }: { readonly usesSpare: boolean },
    onSent: (connection: Connection) => void = () => undefined,
  ): Promise<Connection> {
    const { runtimeDir, message } = program
    for (let attempt = 1; ; attempt++) {
      const spare = usesSpare ? this.#spare.take() : undefined
      const { socket, spawner } = spare ?? (await this.#connect())
      const connection = new Connection(socket, runtimeDir, program.program)
      const endedSpares = this.#endedSpares
      socket.write(message)
      onSent(connection)
      using _watch = this.#watch(connection, runtimeDir, spawner.pid)
      try {
        await connection.opened
        if (usesSpare) this.#prepareSpare(program)
        return connection
      } catch (error) {
        connection.close()
        const isUntouched =
          !connection.hasAnswered && (runtimeDir === undefined || !hasShim(runtimeDir))
        const canRepeat = isUntouched && attempt < ATTEMPTS_MAX && !isErrno(error, 'ETIMEDOUT')
        if (!canRepeat) throw error
        // Another start may have ended ours.
        const isEnded = this.#endedSpares !== endedSpares
        if (!isEnded && !(await hasEnded(spawner))) throw withoutShim(error)
      }
    }
  }

  /** The shim of the next program, most often one like the last: with its namespaces made. */
  #prepareSpare({ prepare }: EncodedProgram): void {
    this.#spare.prepare(async () => {
      const connection = await this.#connectOnce()
      if (prepare !== undefined) connection.socket.write(prepare)
      return connection
    })
  }

  /** Of a start that is not heard of. Somebody may have stopped its shim, or the spawner: they are ended then. */
  #watch(
    connection: Connection,
    runtimeDir: string | undefined,
    spawner: number | undefined,
  ): Disposable {
    let waitedMs = 0
    const timer = setInterval(() => {
      waitedMs += SPARE_WATCH_MS
      if (!connection.hasAnswered && spawner !== undefined && killStoppedSpares(spawner)) {
        this.#endedSpares += 1
      }
      if (waitedMs % WATCH_MS !== 0) return
      if (isStopped(this.#process?.pid)) this.#process?.kill('SIGKILL')
      const shim = runtimeDir === undefined ? undefined : findShim(runtimeDir)
      if (shim?.condition !== 'stopped' && waitedMs < START_TIMEOUT_MS) return
      connection.abandon(noAnswer(runtimeDir, waitedMs))
      if (runtimeDir !== undefined) killShim(runtimeDir)
    }, SPARE_WATCH_MS)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  /** The spawner may just be dead and about to be restarted: then the socket is there and refuses. */
  async #connect(): Promise<SpawnerConnection> {
    const deadline = performance.now() + RECONNECT_DEADLINE_MS
    for (let attempt = 1; ; attempt++) {
      await this.#ready
      try {
        return await this.#connectOnce()
      } catch (error) {
        const isRestarting =
          isErrno(error, 'ECONNREFUSED', 'ECONNRESET', 'ENOENT') && !this.#isClosed
        if (!isRestarting || performance.now() > deadline) throw error
        // It lives, but somebody has removed its socket: the next one makes its own.
        if (isErrno(error, 'ENOENT') && attempt === MISSING_MAX) this.#process?.kill('SIGKILL')
        await delay(RECONNECT_PAUSE_MS)
      }
    }
  }

  async #connectOnce(): Promise<SpawnerConnection> {
    const spawner = { pid: this.#process?.pid, ended: this.#ended }
    return { socket: await connectUnix(this.#options.socketPath), spawner }
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
    this.#ended = new Promise((resolve) => child.once('exit', resolve))
    child.stdin.on('error', () => undefined) // it died: 'exit' follows
    createInterface({ input: child.stderr }).on('line', log)
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'ready') resolve()
        else this.#options.onRulesetLoss?.()
      })
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
        this.#options.onRulesetLoss?.()
        return
      } catch (error) {
        if (this.#isClosed) throw error
        this.#options.log?.(`spawner: ${error instanceof Error ? error.message : String(error)}`)
        await delay(pause)
      }
    }
  }
}

/** The spawner lives and has closed the connection: it could not fork. Its log says why. */
function withoutShim(cause: unknown): Error {
  return new Error(`there is no shim for it, or it was killed; perhaps ${PROCESS_LIMIT}`, { cause })
}

/** True if a shim has begun to work there: it says first who it is. */
function hasShim(runtimeDir: string): boolean {
  return (statSync(join(runtimeDir, 'shim.pid'), { throwIfNoEntry: false })?.size ?? 0) > 0
}

/**
 * The kernel closes a process's sockets before it tells the parent of the end. On a busy machine the news may lie here
 * while the time passes: a zombie has ended.
 */
async function hasEnded(spawner: SpawnerConnection['spawner']): Promise<boolean> {
  const waiting = new AbortController()
  const late = delay(END_NOTICE_MS, false, { signal: waiting.signal }).catch(() => false)
  try {
    const isKnown = await Promise.race([spawner.ended.then(() => true), late])
    if (isKnown || isRunning(spawner.pid)) return isKnown
    await spawner.ended
    return true
  } finally {
    waiting.abort()
  }
}
