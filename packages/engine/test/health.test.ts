// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  type EngineEvent,
  getContainer,
  type Health,
  listContainers,
  pauseContainer,
  restartContainer,
  startContainer,
  stopContainer,
  subscribeEvents,
  topContainer,
  unpauseContainer,
  waitContainer,
  waitForHealth,
} from '@ctr/engine'
import { until } from './filesystem-support.ts'
import { NEVER, TestEngine } from './support.ts'

const MS = 1_000_000

function check(command: string, more: object = {}): object {
  return { Healthcheck: { Test: ['CMD-SHELL', command], Interval: 30 * MS, Retries: 2, ...more } }
}

function health(test: TestEngine, id: string): Health {
  const found = getContainer(test.engine, id).health
  assert.ok(found !== undefined, 'no health')
  return found
}

async function nextEvent(test: TestEngine, wanted: (event: EngineEvent) => boolean): Promise<void> {
  const events = subscribeEvents(
    test.engine,
    { sinceNs: 0n, filters: new Map() },
    AbortSignal.timeout(120_000),
  )
  for await (const event of events) if (wanted(event)) return
  assert.fail('the event did not come')
}

test('a container becomes healthy, says so, and is unhealthy when nobody looks', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], { config: check('echo fine; echo too >&2') })
  assert.equal(getContainer(test.engine, id).health, undefined)
  const waiting = waitForHealth(test.engine, id, 'healthy', NEVER)
  await startContainer(test.engine, id)
  assert.deepEqual(health(test, id), { status: 'starting', failingStreak: 0, log: [] })
  assert.deepEqual(await waiting, { exitCode: 0 })
  const [first] = health(test, id).log
  assert.equal(first?.exitCode, 0)
  assert.match(first?.output ?? '', /fine\n/)
  assert.match(first?.output ?? '', /too\n/)
  const filter = { all: true, limit: 0, filters: new Map([['health', ['healthy']]]) }
  assert.deepEqual(
    listContainers(test.engine, filter).map(({ record }) => record.id),
    [id],
  )
  await nextEvent(test, ({ action }) => action === 'health_status: healthy')
  await pauseContainer(test.engine, id)
  assert.equal(health(test, id).status, 'unhealthy')
  await unpauseContainer(test.engine, id)
  await waitForHealth(test.engine, id, 'healthy', NEVER)
  await stopContainer(test.engine, id, { timeoutSeconds: 0 })
  assert.equal(health(test, id).status, 'unhealthy')
  const ended = await waitForHealth(test.engine, id, 'healthy', NEVER)
  assert.match(ended.error ?? '', /has ended before it was healthy/)
})

test('a probe that takes too long is killed with what it has started', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: check('echo begun; sleep 1000 & sleep 1000', { Timeout: 2000 * MS, Retries: 1 }),
  })
  await startContainer(test.engine, id)
  await waitForHealth(test.engine, id, 'unhealthy', NEVER)
  assert.equal(health(test, id).log[0]?.exitCode, -1)
  // The first one's shell may have taken longer than that to begin.
  const said = 'Health check exceeded timeout (2s): begun\n'
  await until('what it said', () => health(test, id).log.some(({ output }) => output === said))
  await pauseContainer(test.engine, id)
  await unpauseContainer(test.engine, id)
  const { processes } = await topContainer(test.engine, id, '')
  // PID 1 and at most the probe that runs now.
  assert.ok(processes.length <= 4, JSON.stringify(processes))
})

test('a probe whose time is over before it has begun does not run on', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: check('exec sleep 1001', { Timeout: MS, Retries: 3 }),
  })
  await startContainer(test.engine, id)
  await waitForHealth(test.engine, id, 'unhealthy', NEVER)
  const { processes } = await topContainer(test.engine, id, '')
  // PID 1 and at most the probe that runs now.
  assert.ok(processes.length <= 2, JSON.stringify(processes))
})

test('a command that does not exist counts as a failure, with the reason as its output', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: { Healthcheck: { Test: ['CMD', 'nonesuch'], Interval: 20 * MS, Retries: 1 } },
  })
  await startContainer(test.engine, id)
  await waitForHealth(test.engine, id, 'unhealthy', NEVER)
  const [first] = health(test, id).log
  assert.equal(first?.exitCode, -1)
  assert.match(first?.output ?? '', /exec: "nonesuch": executable file not found in \$PATH/)
})

test('no check, no health; a wait for it is refused', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], { config: { Healthcheck: { Test: ['NONE'] } } })
  await startContainer(test.engine, id)
  assert.equal(getContainer(test.engine, id).health, undefined)
  assert.throws(() => waitForHealth(test.engine, id, 'healthy', NEVER), /has no health check/)
})

test('status, streak and probes go on after the engine was away', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: check('exit 3', { Interval: 50 * MS, Retries: 1000 }),
  })
  await startContainer(test.engine, id)
  let probes = 0
  await nextEvent(test, ({ action }) => action.startsWith('exec_create') && ++probes === 2)
  await test.reopen()
  const before = health(test, id)
  assert.equal(before.status, 'starting')
  assert.ok(before.failingStreak >= 1, `streak ${before.failingStreak}`)
  const seen = test.engine.clock.nowNs()
  probes = 0
  await nextEvent(
    test,
    ({ action, timeNs }) => action.startsWith('exec_create') && timeNs > seen && ++probes === 2,
  )
  assert.ok(health(test, id).failingStreak > before.failingStreak)
})

test('a probe of the former engine does not run on beside the next one', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: check('sleep 500', { Timeout: 60_000 * MS }),
  })
  await startContainer(test.engine, id)
  await nextEvent(test, ({ action }) => action.startsWith('exec_start'))
  const [old = ''] = getContainer(test.engine, id).execIds
  await test.reopen()
  await nextEvent(
    test,
    ({ action, attributes }) => action === 'exec_die' && attributes['execID'] === old,
  )
  await nextEvent(
    test,
    ({ action, attributes }) => action.startsWith('exec_start') && attributes['execID'] !== old,
  )
})

for (const action of ['kill', 'stop', 'restart'] as const) {
  test(`an unhealthy container: ${action}`, async () => {
    await using test = await TestEngine.open()
    const id = await test.create(['sleep', '1000'], {
      config: { ...check('exit 1', { Retries: 1 }), StopTimeout: 0 },
      hostConfig: { HealthOnFailure: action },
    })
    let restarts = 0
    const exited = waitContainer(test.engine, id, 'next-exit', NEVER)
    await startContainer(test.engine, id)
    assert.equal((await exited).exitCode, 137)
    if (action !== 'restart') return
    // It is unhealthy again soon.
    await nextEvent(test, (event) => event.action === 'restart')
    await nextEvent(test, (event) => event.action === 'restart' && ++restarts === 2)
  })
}

test('after a kill for bad health the restart policy holds', async () => {
  await using test = await TestEngine.open()
  const id = await test.create(['sleep', '1000'], {
    config: check('test -e /ok', { Retries: 1 }),
    hostConfig: {
      HealthOnFailure: 'kill',
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 0 },
    },
  })
  await startContainer(test.engine, id)
  await waitContainer(test.engine, id, 'next-exit', NEVER)
  const upper = getContainer(test.engine, id).upperDir
  assert.ok(existsSync(upper))
  writeFileSync(join(upper, 'ok'), '')
  await restartContainer(test.engine, id, { timeoutSeconds: 0 })
  await waitForHealth(test.engine, id, 'healthy', NEVER)
  assert.ok(health(test, id).log.length > 0)
})
