// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import {
  createContainer,
  type Engine,
  type EngineConfig,
  getContainer,
  getExec,
  isAlive,
  killContainer,
  openEngine,
  removeContainer,
  SILENT,
  startContainer,
  stopContainer,
  waitContainer,
} from '@ctr/engine'
import { removeCgroup } from '@ctr/linux'
import { until } from './filesystem-support.ts'
import { NEVER, networksOf, newTestConfig, removeAll } from './support.ts'

/** Dead, but perhaps not yet reaped by PID 1. */
function isGone(pid: number): boolean {
  try {
    return /^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

/** An engine in a child process. */
class EngineProcess {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, (answer: { result?: unknown; error?: string }) => void>()
  readonly ready: Promise<void>
  readonly config: EngineConfig
  #count = 0

  constructor(config: EngineConfig) {
    this.config = config
    const script = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
    this.#child = spawn(process.execPath, [script, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    this.#child.once('exit', () => reject(new Error('the engine ended')))
    this.ready.catch(() => undefined)
    const { stdout } = this.#child
    assert.ok(stdout)
    createInterface({ input: stdout }).on('line', (line) => {
      if (line === 'ready') {
        resolve()
        return
      }
      const answer = JSON.parse(line) as { id: number; result?: unknown; error?: string }
      this.#answers.get(answer.id)?.(answer)
      this.#answers.delete(answer.id)
    })
  }

  call<T>(call: string, ...args: unknown[]): Promise<T> {
    const id = ++this.#count
    this.#child.stdin?.write(`${JSON.stringify({ id, call, args })}\n`)
    return new Promise<T>((resolve, reject) => {
      this.#answers.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as T)
        else reject(new Error(error))
      })
    })
  }

  async create(command: readonly string[], hostConfig: object = {}): Promise<string> {
    const { id } = await this.call<{ id: string }>('create', {
      config: { Image: 'busybox', Cmd: command },
      hostConfig: { NetworkMode: 'none', ...hostConfig },
    })
    return id
  }

  async kill9(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** Runs `before` in an engine that is then killed, and `after` in the one that follows; nothing may be left. */
async function afterKill<T>(
  before: (engine: EngineProcess) => Promise<T>,
  after: (engine: Engine, value: T) => Promise<void>,
): Promise<void> {
  const { root, config } = newTestConfig({})
  const first = new EngineProcess(config)
  await first.ready
  try {
    const value = await before(first)
    await first.kill9()
    const engine = await openEngine(config, SILENT)
    try {
      await after(engine, value)
    } finally {
      await removeAll(engine)
      // Shims that did not answer in time are settled in the background.
      await engine.supervision.idle()
      await engine[Symbol.asyncDispose]()
      assert.deepEqual(readdirSync(join(config.execRoot, 'c')), [], 'runtime directories')
      assert.deepEqual(readdirSync(join(config.execRoot, 'x')), [], 'runtime directories of execs')
      assert.deepEqual(readdirSync(join(config.dataRoot, 'containers')), [], 'container files')
      await removeCgroup(engine.host.cgroups, config.cgroupParent)
      assert.ok(!existsSync(`/sys/fs/cgroup/pids${config.cgroupParent}`))
    }
  } finally {
    await first.kill9()
    rmSync(root, { recursive: true, force: true })
  }
}

describe('after kill -9 of the engine', () => {
  test('what one request was to create, start and remove goes when it was not started; else a created one stays', async () => {
    const request = (hostConfig: object, isStarted: boolean): object => ({
      config: { Image: 'busybox', Cmd: ['true'], Volumes: { '/v': {} } },
      hostConfig: { NetworkMode: 'none', ...hostConfig },
      isStarted,
    })
    await afterKill(
      async (engine) => {
        const create = async (hostConfig: object, isStarted: boolean): Promise<string> =>
          (await engine.call<{ id: string }>('create', request(hostConfig, isStarted))).id
        return {
          whole: await create({ AutoRemove: true }, true),
          kept: await create({}, true),
          waiting: await create({ AutoRemove: true }, false),
        }
      },
      async (engine, { whole, kept, waiting }) => {
        await engine.background.idle()
        const left = engine.containers.all().map(({ id, state }) => [id, state.status])
        assert.deepEqual(left, [
          [kept, 'created'],
          [waiting, 'created'],
        ])
        assert.ok(!existsSync(engine.containers.directory(whole)))
        assert.equal(engine.volumes.all().length, 2)
      },
    )
  })

  test('a removal that waited for the end of the process is carried on, with its volumes if they were to go', async () => {
    await afterKill(
      async (engine) => {
        const hostConfig = { RestartPolicy: { Name: 'always' }, Binds: ['/anonymous'] }
        const ids = [
          await engine.create(['sleep', '1000'], hostConfig),
          await engine.create(['sleep', '1000'], hostConfig),
        ]
        for (const id of ids) await engine.call('start', id)
        const runtimeDirs = join(engine.config.execRoot, 'c')
        const shims = readdirSync(runtimeDirs).map((name) =>
          Number(readFileSync(join(runtimeDirs, name, 'shim.pid'))),
        )
        for (const pid of shims) process.kill(pid, 'SIGSTOP')
        for (const [index, id] of ids.entries()) {
          void engine.call('remove', id, { force: true, volumes: index === 0 })
        }
        // Answered after the removals have asked the shims to kill: the calls of one engine begin in order.
        await engine.create(['true'])
        await engine.kill9()
        for (const pid of shims) process.kill(pid, 'SIGCONT')
        return ids
      },
      async (engine, ids) => {
        await engine.background.idle()
        assert.deepEqual(
          engine.containers.all().filter(({ id }) => ids.includes(id)),
          [],
        )
        assert.equal(engine.volumes.all().length, 1)
      },
    )
  })

  test('a container goes on with its PID, and stop, kill and wait work on it', async () => {
    await afterKill(
      async (engine) => {
        const id = await engine.create(['sh', '-c', 'while :; do echo tick; sleep 0.05; done'])
        await engine.call('start', id)
        return id
      },
      async (engine, id) => {
        const { state } = getContainer(engine, id)
        assert.ok(isAlive(state))
        const exited = waitContainer(engine, id, 'not-running', NEVER)
        await stopContainer(engine, id, { timeoutSeconds: 0 })
        assert.equal((await exited).exitCode, 137)
      },
    )
  })

  test('an exit while no engine was there has its code, and the last line is in the log', async () => {
    await afterKill(
      async (engine) => {
        const id = await engine.create(['sh', '-c', 'sleep 0.3; echo last line; exit 5'])
        await engine.call('start', id)
        return id
      },
      async (engine, id) => {
        await waitContainer(engine, id, 'not-running', NEVER)
        const { state, logPath } = getContainer(engine, id)
        assert.deepEqual([state.status, state.exitCode], ['exited', 5])
        assert.match(readFileSync(logPath, 'utf8'), /last line/)
      },
    )
  })

  test('--rm, restart policies and a stop in its grace are carried on', async () => {
    await afterKill(
      async (engine) => {
        const auto = await engine.create(['sleep', '0.3'], { AutoRemove: true })
        const always = await engine.create(['sleep', '0.3'], {
          RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
        })
        const stubborn = await engine.create([
          'sh',
          '-c',
          'trap "" TERM; while :; do sleep 1; done',
        ])
        for (const id of [auto, always, stubborn]) await engine.call('start', id)
        void engine.call('stop', stubborn, { timeoutSeconds: 2 }).catch(() => undefined)
        // Answered after the stop has sent its signal: the calls of one engine begin in order.
        await engine.create(['true'])
        return { auto, always, stubborn }
      },
      async (engine, { auto, always, stubborn }) => {
        if (engine.containers.find(auto) !== undefined) {
          await waitContainer(engine, auto, 'removed', NEVER)
        }
        assert.equal(engine.containers.find(auto), undefined)
        await waitContainer(engine, always, 'next-exit', NEVER)
        assert.ok(['running', 'restarting'].includes(getContainer(engine, always).state.status))
        assert.equal((await waitContainer(engine, stubborn, 'not-running', NEVER)).exitCode, 137)
      },
    )
  })

  test('execs are known, and end with their code', async () => {
    await afterKill(
      async (engine) => {
        const id = await engine.create(['sleep', '1000'])
        await engine.call('start', id)
        const exec = await engine.call<string>('execDetached', id, { Cmd: ['sleep', '1001'] })
        return { id, exec }
      },
      async (engine, { id, exec }) => {
        assert.equal(getExec(engine, exec).state.status, 'running')
        assert.deepEqual(getContainer(engine, id).execIds, [exec])
        await killContainer(engine, id, 'KILL')
        await engine.shims.get(exec)?.exited
        await engine.supervision.idle()
        assert.deepEqual(getExec(engine, exec).state.status, 'exited')
      },
    )
  })

  test('at any moment of create, start and remove nothing is lost and nothing is left', async () => {
    for (let round = 0; round < 12; round++) {
      await afterKill(
        async (engine) => {
          const known = await engine.create(['sleep', '1000'])
          await engine.call('start', known)
          const churn = async (): Promise<void> => {
            for (;;) {
              const id = await engine.create(['sleep', '1000'], { Binds: ['/anonymous'] })
              await engine.call('start', id)
              await engine.call('remove', id, { force: true, volumes: true })
            }
          }
          void churn().catch(() => undefined)
          void churn().catch(() => undefined)
          await new Promise((resolve) => setTimeout(resolve, 5 + round * 7)) // the moment
          return known
        },
        async (engine, known) => {
          assert.equal(getContainer(engine, known).state.status, 'running')
          // At once, but for a shim that has not answered within the three seconds that the start waits for it.
          await until('each running row has a shim', () => {
            const all = engine.containers.all()
            return all.every(({ id, state }) => !isAlive(state) || engine.shims.has(id))
          })
          for (const { id, state } of engine.containers.all()) {
            if (isAlive(state)) assert.deepEqual(networksOf(engine, id), ['none'])
          }
          // A removal that the kill has cut short is carried on in the background: first the row, then the files.
          const volumes = join(engine.config.dataRoot, 'volumes')
          await until('each directory of a volume has its row', () =>
            isDeepStrictEqual(
              readdirSync(volumes).sort(),
              engine.volumes.all().map(({ name }) => name),
            ),
          )
        },
      )
    }
  })
})

describe('a killed shim', () => {
  test('takes its container down, which is reported', async () => {
    const { root, config } = newTestConfig({})
    const child = new EngineProcess(config)
    await child.ready
    await child.kill9()
    const engine = await openEngine(config, SILENT)
    try {
      const { id } = await createContainer(engine, {
        config: { Image: 'busybox', Cmd: ['sh', '-c', 'sleep 100 & sleep 200'] },
        hostConfig: { NetworkMode: 'none' },
      })
      await startContainer(engine, id)
      const { state } = getContainer(engine, id)
      assert.ok(isAlive(state))
      const runtimeDir = join(config.execRoot, 'c', id.slice(0, 24))
      const shimPid = Number(readFileSync(join(runtimeDir, 'shim.pid'), 'utf8'))
      const exited = waitContainer(engine, id, 'next-exit', NEVER)
      process.kill(shimPid, 'SIGKILL')
      assert.equal((await exited).exitCode, 137)
      assert.equal(getContainer(engine, id).state.error, 'shim died')
      assert.ok(isGone(state.pid), 'its process is gone')
      assert.ok(!existsSync(`/sys/fs/cgroup/pids${config.cgroupParent}/${id}`))
      await removeContainer(engine, id, { force: false, volumes: false })
    } finally {
      await removeAll(engine)
      await engine[Symbol.asyncDispose]()
      await removeCgroup(engine.host.cgroups, config.cgroupParent)
      rmSync(root, { recursive: true, force: true })
    }
  })
})
