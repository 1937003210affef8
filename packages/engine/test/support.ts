import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import {
  attachContainer,
  containerLogs,
  createContainer,
  DEFAULT_ENGINE_CONFIG,
  type Engine,
  type EngineConfig,
  getContainer,
  type Logger,
  openEngine,
  removeContainer,
  SILENT,
  startContainer,
  waitContainer,
} from '@ctr/engine'
import { buildBusyboxImage } from '@ctr/images'
import { removeCgroup } from '@ctr/linux'

/** An engine on roots of its own; disposal removes all its containers and leaves nothing. */
export class TestEngine implements AsyncDisposable {
  engine: Engine
  readonly config: EngineConfig
  readonly #root: string
  readonly #log: Logger

  private constructor(engine: Engine, config: EngineConfig, root: string, log: Logger) {
    this.engine = engine
    this.config = config
    this.#root = root
    this.#log = log
  }

  static async open(overrides: Partial<EngineConfig> = {}, log = SILENT): Promise<TestEngine> {
    const { root, config } = newTestConfig(overrides)
    const engine = await openEngine(config, log)
    await loadBusybox(engine)
    return new TestEngine(engine, config, root, log)
  }

  /** As the end and the start of a daemon; containers go on. */
  async reopen(): Promise<void> {
    await this.engine[Symbol.asyncDispose]()
    this.engine = await openEngine(this.config, this.#log)
  }

  /** Creates a busybox container; gives its id. */
  async create(
    command: readonly string[],
    o: { config?: object; hostConfig?: object; name?: string } = {},
  ): Promise<string> {
    const { id } = await createContainer(this.engine, {
      config: { Image: 'busybox', Cmd: [...command], ...o.config },
      hostConfig: { NetworkMode: 'none', ...o.hostConfig },
      ...(o.name === undefined ? {} : { name: o.name }),
    })
    return id
  }

  /** Creates a container as `create` does and runs it to its end. */
  async run(
    command: readonly string[],
    o: Parameters<TestEngine['create']>[1] = {},
  ): Promise<{ id: string; exitCode: number; stdout: string; stderr: string }> {
    const id = await this.create(command, o)
    const session = await attachContainer(this.engine, id, {
      stdin: false,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    })
    const exited = waitContainer(this.engine, id, 'next-exit', NEVER)
    await startContainer(this.engine, id)
    const stream = await session.stream
    if (stream === undefined) throw new Error('attached to nothing')
    const output = await demultiplex(stream)
    return { id, exitCode: (await exited).exitCode, ...output }
  }

  /** What it has logged so far. */
  async output(id: string): Promise<{ stdout: string; stderr: string }> {
    const options = { stdout: true, stderr: true, follow: false, timestamps: false, details: false }
    return await demultiplex((await containerLogs(this.engine, id, options, NEVER)).stream)
  }

  status(id: string): string {
    return getContainer(this.engine, id).state.status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeAll(this.engine)
    await this.engine[Symbol.asyncDispose]()
    await removeCgroup(this.engine.host.cgroups, this.config.cgroupParent)
    rmSync(this.#root, { recursive: true, force: true })
  }
}

let count = 0

export function newTestConfig(overrides: Partial<EngineConfig>): {
  root: string
  config: EngineConfig
} {
  const root = mkdtempSync('/tmp/ctr-engine-')
  mkdirSync(join(root, 'data'))
  count += 1
  const config: EngineConfig = {
    ...DEFAULT_ENGINE_CONFIG,
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'run'),
    cgroupParent: `/ctr-engine-${process.pid}-${count}`,
    bridge: { kind: 'none' },
    ...overrides,
  }
  return { root, config }
}

export async function loadBusybox(engine: Engine): Promise<void> {
  const archive = await buildBusyboxImage({
    busyboxPath: '/bin/busybox',
    reference: 'busybox:latest',
  })
  await engine.images.load(archive, {})
}

export async function removeAll(engine: Engine): Promise<void> {
  for (const { id } of engine.containers.all()) {
    await removeContainer(engine, id, { force: true, volumes: true }).catch(() => undefined)
  }
}

/** Everything of a stream, as text. */
export async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** The payload of Docker's multiplexed frames, by stream. */
export async function demultiplex(stream: Readable): Promise<{ stdout: string; stderr: string }> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  let rest = Buffer.concat(chunks)
  const out: Record<number, string> = { 1: '', 2: '' }
  while (rest.length >= 8) {
    const length = rest.readUInt32BE(4)
    const kind = rest[0] ?? 0
    out[kind] = (out[kind] ?? '') + rest.subarray(8, 8 + length).toString()
    rest = rest.subarray(8 + length)
  }
  return { stdout: out[1] ?? '', stderr: out[2] ?? '' }
}

export const NEVER: AbortSignal = new AbortController().signal

/** Names of the networks that a container has endpoints on. */
export function networksOf(engine: Engine, id: string): string[] {
  return engine.networks.endpointsOfContainer(id).map(({ networkName }) => networkName)
}
