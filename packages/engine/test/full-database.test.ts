// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  commitContainer,
  createExec,
  getContainer,
  killContainer,
  listContainers,
  pauseContainer,
  readArchive,
  removeContainer,
  restartContainer,
  startContainer,
  startExec,
  stopContainer,
  topContainer,
  unpauseContainer,
  waitContainer,
  waitExec,
} from '@ctr/engine'
import { TestEngine } from './support.ts'

// What a full or broken disk does to the database, at one step of a life: a trigger refuses that write.
let bench: TestEngine
beforeEach(async () => {
  bench = await TestEngine.open()
})
afterEach(async () => {
  bench.engine.store.db.exec('DROP TRIGGER IF EXISTS refuse')
  await bench[Symbol.asyncDispose]()
})

function refuse(what: string): Disposable {
  const run = (sql: string): void => void bench.engine.store.db.exec(sql)
  run(`CREATE TRIGGER refuse BEFORE ${what} BEGIN SELECT RAISE(ABORT, 'no room'); END`)
  return { [Symbol.dispose]: () => run('DROP TRIGGER refuse') }
}
const refuseStatus = (status: string): Disposable =>
  refuse(`UPDATE ON containers WHEN NEW.status = '${status}'`)

/** Nobody's processes and nobody's directories are left, at once or soon: nobody waits for the removal of files. */
async function assertNothingRuns(): Promise<void> {
  let left = leftovers()
  for (let ms = 0; left.length > 0 && ms < 120_000; ms += 50) {
    await delay(50)
    left = leftovers()
  }
  assert.deepEqual(left, [])
}

function leftovers(): string[] {
  const { config } = bench.engine
  const isOurs = (pid: string): boolean => cgroupsOf(pid).includes(`${config.cgroupParent}/`)
  const directories = ['c', 'x'].flatMap((kind) => readdirSync(join(config.execRoot, kind)))
  return [...readdirSync('/proc').filter(isOurs), ...directories]
}

function cgroupsOf(pid: string): string {
  try {
    return /^[0-9]+$/.test(pid) ? readFileSync(`/proc/${pid}/cgroup`, 'utf8') : ''
  } catch {
    return '' // it has ended
  }
}

async function exitCodeOf(id: string): Promise<number> {
  const signal = AbortSignal.timeout(120_000)
  return (await waitContainer(bench.engine, id, 'not-running', signal)).exitCode
}

test('a process whose start cannot be recorded is ended', async () => {
  const id = await bench.create(['sleep', '1000'])
  {
    using _full = refuseStatus('running')
    await assert.rejects(startContainer(bench.engine, id), /no room/)
    await assertNothingRuns()
    assert.equal(bench.status(id), 'created')
  }
  await startContainer(bench.engine, id)
  assert.equal(bench.status(id), 'running')
})

test('the end of a run is recorded when there is room again, and who waits learns of it', async () => {
  const id = await bench.create(['sh', '-c', 'sleep 0.1; exit 3'])
  let ended: Promise<number>
  {
    using _full = refuseStatus('exited')
    await startContainer(bench.engine, id)
    ended = exitCodeOf(id)
    await delay(500)
    assert.equal(bench.status(id), 'running')
  }
  assert.equal(await ended, 3)
  await assertNothingRuns()
})

test('a kill ends when there is room again', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  let killed: Promise<void>
  {
    using _full = refuseStatus('exited')
    killed = killContainer(bench.engine, id, 'SIGKILL')
    await delay(300)
  }
  await killed
  assert.equal(bench.status(id), 'exited')
})

test('a kill that cannot be recorded kills all the same', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  let killed: Promise<void>
  {
    using _full = refuse('UPDATE ON containers')
    killed = killContainer(bench.engine, id, 'SIGKILL')
    await noProcesses()
    assert.equal(bench.status(id), 'running')
  }
  await killed
  assert.equal(bench.status(id), 'exited')
})

function endedUnrecorded(): string[] {
  const listed = listContainers(bench.engine, { all: true, limit: 0, filters: new Map() })
  return listed.flatMap((one) => (one.isEndUnrecorded ? [one.record.id] : [])).sort()
}

/** A disk that is read-only, as after an error of its own, takes nothing any more. */
test('a disk that takes nothing keeps no stop, kill or wait waiting when the process has ended', async () => {
  const [stopped = '', killed = '', removed = ''] = await Promise.all(
    Array.from({ length: 3 }, () => bench.create(['sleep', '1000'])),
  )
  for (const id of [stopped, killed, removed]) await startContainer(bench.engine, id)
  {
    using _readOnly = refuse('UPDATE ON containers')
    const code = exitCodeOf(stopped)
    const began = performance.now()
    await Promise.all([
      stopContainer(bench.engine, stopped, { timeoutSeconds: 0 }),
      killContainer(bench.engine, killed, 'SIGKILL'),
      assert.rejects(
        removeContainer(bench.engine, removed, { force: true, volumes: false }),
        /has ended, but the database does not take it: no room/,
      ),
    ])
    assert.equal(await code, 137)
    assert.ok(performance.now() - began < 20_000)
    await noProcesses()
    assert.equal(bench.status(stopped), 'running')
    assert.deepEqual(endedUnrecorded(), [stopped, killed, removed].sort())
    await assert.rejects(
      restartContainer(bench.engine, stopped, { timeoutSeconds: 0 }),
      /has ended, but the database does not take it: no room/,
    )
  }
  for (const id of [stopped, killed, removed]) {
    for (let ms = 0; bench.status(id) !== 'exited' && ms < 20_000; ms += 50) await delay(50)
    assert.ok(!endedUnrecorded().includes(id))
    // The removal was refused: it is one no more.
    await startContainer(bench.engine, id)
  }
})

const RESTARTS = { hostConfig: { RestartPolicy: { Name: 'unless-stopped' } } }

async function noProcesses(): Promise<void> {
  const { cgroupParent } = bench.config
  const runs = (): boolean =>
    readdirSync('/proc').some((pid) => cgroupsOf(pid).includes(`${cgroupParent}/`))
  for (let ms = 0; runs() && ms < 20_000; ms += 50) await delay(50)
  assert.ok(!runs())
}

/** Its processes end while the database takes nothing, its end is recorded later. */
async function stopUnrecorded(id: string): Promise<void> {
  let stopped: Promise<void>
  {
    using _full = refuse('UPDATE ON containers')
    stopped = stopContainer(bench.engine, id, { timeoutSeconds: 0 })
    await noProcesses()
  }
  await stopped
  assert.equal(bench.status(id), 'exited')
}

test('the wish to stop holds when it cannot be recorded', async () => {
  const id = await bench.create(['sleep', '1000'], RESTARTS)
  await startContainer(bench.engine, id)
  await stopUnrecorded(id)
  // The policy is that of the next run again.
  await startContainer(bench.engine, id)
  process.kill(runningPid(id), 'SIGKILL')
  for (let ms = 0; bench.engine.containers.get(id).restartCount === 0 && ms < 20_000; ms += 50) {
    await delay(50)
  }
  assert.equal(getContainer(bench.engine, id).restartCount, 1)
})

test('a stop of a paused container holds when it cannot be recorded', async () => {
  const id = await bench.create(['sleep', '1000'], RESTARTS)
  await startContainer(bench.engine, id)
  await pauseContainer(bench.engine, id)
  await stopUnrecorded(id)
})

test('the next engine knows the wish to stop that this one could not record', async () => {
  const ended = await bench.create(['sleep', '1000'], RESTARTS)
  // Its process ends later, and the stop has a grace: the next engine keeps it.
  const stubborn = await bench.create(
    ['sh', '-c', 'trap "" TERM; sleep 1000 & wait; wait'],
    RESTARTS,
  )
  const removed = await bench.create(['sleep', '1000'], RESTARTS)
  for (const id of [ended, stubborn, removed]) await startContainer(bench.engine, id)
  {
    using _full = refuse('UPDATE ON containers')
    const { engine } = bench
    void stopContainer(engine, ended, { timeoutSeconds: 0 }).catch(() => undefined)
    void stopContainer(engine, stubborn, { timeoutSeconds: 1 }).catch(() => undefined)
    const removal = { force: true, volumes: false }
    void removeContainer(engine, removed, removal).catch(() => undefined)
    await delay(500)
    await engine[Symbol.asyncDispose]()
    await bench.reopen()
  }
  assert.equal(await exitCodeOf(ended), 137)
  assert.equal(await exitCodeOf(stubborn), 137)
  const isThere = (): boolean => bench.engine.containers.byId(removed) !== undefined
  for (let ms = 0; isThere() && ms < 20_000; ms += 50) await delay(50)
  assert.ok(!isThere())
  await noProcesses()
  assert.equal(bench.status(ended), 'exited')
  assert.equal(bench.status(stubborn), 'exited')
})

function runningPid(id: string): number {
  const { state } = getContainer(bench.engine, id)
  assert.ok(state.status === 'running')
  return state.pid
}

test('a restart by policy that cannot be recorded is tried again', async () => {
  const id = await bench.create(['sh', '-c', '[ -e /again ] && exec sleep 1000; touch /again'], {
    hostConfig: { RestartPolicy: { Name: 'always' } },
  })
  {
    using _full = refuse(`UPDATE ON containers WHEN OLD.status = 'restarting'`)
    await startContainer(bench.engine, id)
    for (let ms = 0; bench.status(id) !== 'restarting' && ms < 120_000; ms += 50) await delay(50)
    await delay(600)
    assert.equal(bench.status(id), 'restarting')
    await assertNothingRuns()
  }
  for (let ms = 0; bench.status(id) !== 'running' && ms < 120_000; ms += 50) await delay(50)
  assert.equal(bench.status(id), 'running')
  assert.equal(getContainer(bench.engine, id).restartCount, 1)
})

test('what cannot be recorded as paused is not frozen, and the other way round', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  {
    using _full = refuseStatus('paused')
    await assert.rejects(pauseContainer(bench.engine, id), /no room/)
    assert.equal(await exec(id, 'true'), 0)
  }
  await pauseContainer(bench.engine, id)
  {
    using _full = refuseStatus('running')
    await assert.rejects(unpauseContainer(bench.engine, id), /no room/)
    assert.equal(bench.status(id), 'paused')
  }
  await unpauseContainer(bench.engine, id)
  assert.equal(await exec(id, 'true'), 0)
})

async function exec(id: string, ...command: string[]): Promise<number> {
  const execId = await createExec(bench.engine, id, { Cmd: command })
  const ended = waitExec(bench.engine, execId, false, AbortSignal.timeout(120_000))
  await startExec(bench.engine, execId, { detach: true, tty: false })
  return await ended
}

test('what changes nothing is done, and only its event is lost', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  const heard: string[] = []
  using _listener = bench.engine.events.listen(({ action }) => heard.push(action))
  {
    using _full = refuse('INSERT ON events')
    assert.equal((await topContainer(bench.engine, id, '')).processes.length, 1)
    const { stream } = await readArchive(bench.engine, id, '/etc/passwd')
    stream.resume()
    await once(stream, 'end')
  }
  assert.deepEqual(heard, ['top', 'archive-path'])
  const history = bench.engine.events.history(0n, 2n ** 62n, 0n, 100)
  assert.ok(history.every(({ action }) => !heard.includes(action)))
})

test('a commit leaves nothing frozen, whatever of it cannot be recorded', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  const request = { container: id, pause: true, author: '', comment: '', changes: [] }
  for (const what of ['INSERT ON events', 'INSERT ON layers', 'INSERT ON images']) {
    {
      using _full = refuse(what)
      const committed = commitContainer(bench.engine, request)
      if (what === 'INSERT ON events') await committed
      else await assert.rejects(committed, /no room/)
    }
    assert.equal(await exec(id, 'true'), 0)
    assert.equal(await exec(id, 'touch', `/changed after ${what}`), 0)
  }
})

test('execs end, too: at once, or when there is room again', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  const before = readdirSync(join(bench.config.execRoot, 'x'))
  {
    using _full = refuse(`UPDATE ON execs WHEN NEW.status = 'running'`)
    await assert.rejects(exec(id, 'sleep', '1000'), /no room/)
    assert.deepEqual(readdirSync(join(bench.config.execRoot, 'x')), before)
  }
  let ended: Promise<number>
  {
    using _full = refuse(`UPDATE ON execs WHEN NEW.status = 'exited'`)
    ended = exec(id, 'sh', '-c', 'exit 5')
    await delay(300)
  }
  assert.equal(await ended, 5)
})

test('a removal that cannot be recorded leaves the container as it was', async () => {
  const id = await bench.create(['sleep', '1000'])
  await startContainer(bench.engine, id)
  const execId = await createExec(bench.engine, id, { Cmd: ['true'] })
  await startExec(bench.engine, execId, { detach: true, tty: false })
  {
    using _full = refuse('DELETE ON containers')
    await assert.rejects(removeContainer(bench.engine, id, { force: true, volumes: true }))
    assert.equal(bench.status(id), 'exited')
    assert.equal(bench.engine.execs.find(execId)?.containerId, id)
  }
  await startContainer(bench.engine, id)
  await removeContainer(bench.engine, id, { force: true, volumes: true })
  await assertNothingRuns()
})

test('an engine that cannot record what it finds tries again', async () => {
  const id = await bench.create(['sh', '-c', 'sleep 0.5; exit 4'])
  {
    using _full = refuseStatus('exited')
    await startContainer(bench.engine, id)
    await bench.engine[Symbol.asyncDispose]()
    await delay(800)
    await bench.reopen()
    assert.equal(bench.status(id), 'running')
    // It has ended before this engine began.
    assert.equal(await exitCodeOf(id), 4)
    await assert.rejects(
      removeContainer(bench.engine, id, { force: true, volumes: false }),
      /has ended, but the database does not take it: no room/,
    )
  }
  assert.equal(await exitCodeOf(id), 4)
  await assertNothingRuns()
})
