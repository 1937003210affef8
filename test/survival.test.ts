import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestDaemon } from '@ctr/testkit'
import { apiRequest, requires, run, startDaemon, waitFor } from '@ctr/testkit'
import { field, pidOf, removeContainers } from './daemon-fixture.ts'

// What the death, the end and the return of ctrd mean to containers: nothing.
const skip = requires({ root: true })
let daemon: TestDaemon

before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
afterEach(async () => {
  if (skip !== false) return
  if (!daemon.isRunning) await daemon.restart()
  await removeContainers(daemon)
})
after(async () => {
  if (skip === false) await daemon[Symbol.asyncDispose]()
})

async function status(name: string): Promise<string> {
  return await field(daemon, name, '{{.State.Status}} {{.State.ExitCode}}')
}

async function hasEnded(pid: number): Promise<void> {
  await waitFor(`the end of process ${pid}`, () => {
    try {
      return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return true // ENOENT, or ESRCH when it is reaped while it is read
    }
  })
}

test('a container goes on with the same pid and a log without gaps', { skip }, async () => {
  const script = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'
  await daemon.ok(['run', '-d', '--name', 'counter', 'busybox', 'sh', '-c', script])
  const pid = await pidOf(daemon, 'counter')
  const path = await field(daemon, 'counter', '{{.LogPath}}')
  const lines = (): number => readFileSync(path, 'utf8').split('\n').length
  await waitFor('the first lines', () => lines() > 5)
  await daemon.kill9()
  const atDeath = lines()
  await waitFor('lines written without a daemon', () => lines() > atDeath + 20)
  await daemon.restart()
  assert.equal(await pidOf(daemon, 'counter'), pid)
  assert.equal(await status('counter'), 'running 0')
  const afterRestart = lines()
  await waitFor('further lines', () => lines() > afterRestart + 5)
  const numbers = (await daemon.ok(['logs', 'counter'])).split('\n').map(Number)
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index),
  )
})

test('the shim of a container is no child of the daemon', { skip }, async () => {
  await daemon.ok(['run', '-d', '--name', 'sl', 'busybox', 'sleep', '300'])
  const parentOf = (pid: number): number =>
    Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const shim = parentOf(await pidOf(daemon, 'sl'))
  assert.notEqual(parentOf(shim), daemon.pid)
  const shimMemory = readFileSync(`/proc/${shim}/smaps_rollup`, 'utf8')
  const privateKiB = [...shimMemory.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  )
  assert.ok(privateKiB < 600, `${privateKiB} KiB`)
})

test('exits that happen without a daemon have the right code, and the last line is in the log', {
  skip,
}, async () => {
  const script = (code: number): string =>
    `until [ -e /go/go ]; do sleep 0.02; done; echo last line; exit ${code}`
  const directory = `${daemon.root}/go`
  for (const code of [0, 7])
    await daemon.ok([
      'run',
      '-d',
      '--name',
      `ex${code}`,
      '-v',
      `${directory}:/go`,
      'busybox',
      'sh',
      '-c',
      script(code),
    ])
  await daemon.ok(['run', '-d', '--name', 'killed', 'busybox', 'sleep', '300'])
  const pids = [
    await pidOf(daemon, 'ex0'),
    await pidOf(daemon, 'ex7'),
    await pidOf(daemon, 'killed'),
  ] as const
  await daemon.kill9()
  writeFileSync(`${directory}/go`, '')
  process.kill(pids[2], 'SIGKILL')
  for (const pid of pids) await hasEnded(pid)
  await daemon.restart()
  assert.equal(await status('ex0'), 'exited 0')
  assert.equal(await status('ex7'), 'exited 7')
  assert.equal(await status('killed'), 'exited 137')
  assert.equal(await daemon.ok(['logs', 'ex7']), 'last line')
})

test('an OOM kill without a daemon is known afterwards', { skip }, async () => {
  const directory = `${daemon.root}/oom`
  const script = 'until [ -e /go/go ]; do sleep 0.02; done; x=a; while :; do x=$x$x; done'
  await daemon.ok([
    'run',
    '-d',
    '--name',
    'oom',
    '-m',
    '10m',
    '--memory-swap',
    '10m',
    '-v',
    `${directory}:/go`,
    'busybox',
    'sh',
    '-c',
    script,
  ])
  const pid = await pidOf(daemon, 'oom')
  await daemon.kill9()
  writeFileSync(`${directory}/go`, '')
  await hasEnded(pid)
  await daemon.restart()
  assert.equal(await field(daemon, 'oom', '{{.State.ExitCode}} {{.State.OOMKilled}}'), '137 true')
})

test('a container that writes much is not held up by a missing daemon', { skip }, async () => {
  const directory = `${daemon.root}/much`
  const script = 'until [ -e /go/go ]; do sleep 0.02; done; seq 1 300000; touch /go/done; sleep 300'
  await daemon.ok([
    'run',
    '-d',
    '--name',
    'much',
    '-v',
    `${directory}:/go`,
    'busybox',
    'sh',
    '-c',
    script,
  ])
  await daemon.kill9()
  writeFileSync(`${directory}/go`, '')
  await waitFor('the end of the output', () => existsSync(`${directory}/done`))
  await daemon.restart()
  assert.equal(await daemon.ok(['logs', '--tail', '1', 'much']), '300000')
})

test('attach, exec, logs -f and stop work after the return', { skip }, async () => {
  const script = 'while read l; do echo got $l; done'
  await daemon.ok(['run', '-d', '-i', '--name', 'back', 'busybox', 'sh', '-c', script])
  await daemon.kill9()
  await daemon.restart()
  await using logs = daemon.session(['logs', '-f', 'back'])
  await using attached = daemon.session(['attach', 'back'])
  attached.write('one\n')
  await attached.waitFor('got one')
  await logs.waitFor('got one')
  assert.equal(await daemon.ok(['exec', 'back', 'echo', 'hi']), 'hi')
  await daemon.ok(['stop', '-t', '0', 'back'])
  assert.equal(await status('back'), 'exited 137')
  assert.equal(await logs.exited, 0)
})

test('an exec goes on without a daemon and its code is known afterwards', { skip }, async () => {
  const directory = `${daemon.root}/exec`
  await daemon.ok([
    'run',
    '-d',
    '--name',
    'ex',
    '-v',
    `${directory}:/go`,
    'busybox',
    'sleep',
    '300',
  ])
  const script = 'until [ -e /go/go ]; do sleep 0.02; done; touch /go/done; exit 5'
  const created = await daemon.request('POST', '/containers/ex/exec', { Cmd: ['sh', '-c', script] })
  const { Id } = created.json() as { Id: string }
  await daemon.request('POST', `/exec/${Id}/start`, { Detach: true })
  await daemon.kill9()
  writeFileSync(`${directory}/go`, '')
  await waitFor('the end of the exec', () => existsSync(`${directory}/done`))
  await daemon.restart()
  const exec = await waitFor('the exit of the exec', async () => {
    const document = (await daemon.request('GET', `/exec/${Id}/json`)).json() as {
      Running: boolean
      ExitCode: number
    }
    return document.Running ? undefined : document
  })
  assert.equal(exec.ExitCode, 5)
})

test('restart policies and --rm are honoured for what happened meanwhile', { skip }, async () => {
  const directory = `${daemon.root}/policies`
  const script = 'until [ -e /go/go ]; do sleep 0.02; done; rm -f /go/$HOSTNAME; exit 1'
  const flags = ['-v', `${directory}:/go`, 'busybox', 'sh', '-c', script]
  await daemon.ok(['run', '-d', '--name', 'always', '--restart', 'always', ...flags])
  await daemon.ok(['run', '-d', '--name', 'never', ...flags])
  await daemon.ok(['run', '-d', '--name', 'remove', '--rm', ...flags])
  const pids = await Promise.all(['always', 'never', 'remove'].map((name) => pidOf(daemon, name)))
  await daemon.kill9()
  writeFileSync(`${directory}/go`, '')
  for (const pid of pids) await hasEnded(pid)
  await run(['rm', `${directory}/go`])
  await daemon.restart()
  await waitFor('the restart', async () => (await status('always')) === 'running 0')
  assert.ok(!pids.includes(await pidOf(daemon, 'always')))
  assert.equal(await status('never'), 'exited 1')
  await waitFor(
    'the removal',
    async () => !(await daemon.ok(['ps', '-a', '--format', '{{.Names}}'])).includes('remove'),
  )
})

test('SIGTERM ends the daemon in less than a second and leaves containers running', {
  skip,
}, async () => {
  await daemon.ok(['run', '-d', '--name', 'stays', 'busybox', 'sleep', '300'])
  const pid = await pidOf(daemon, 'stays')
  const took: number[] = []
  // One of ten: the machine may be busy with something else.
  while ((took.at(-1) ?? 1000) >= 1000 && took.length < 10) {
    if (!daemon.isRunning) await daemon.restart()
    const startedMs = performance.now()
    assert.equal(await daemon.stop(), 0)
    took.push(performance.now() - startedMs)
  }
  assert.ok((took.at(-1) ?? 1000) < 1000, `${took.join()} ms`)
  assert.ok(existsSync(`/proc/${pid}`))
  assert.ok(!existsSync(daemon.socketPath), 'the socket is removed')
  await daemon.restart()
  assert.equal(await pidOf(daemon, 'stays'), pid)
})

test('a stale socket and pid file do not stop it, a second daemon on the same root is refused', {
  skip,
}, async () => {
  await daemon.kill9()
  assert.ok(existsSync(daemon.socketPath) && existsSync(`${daemon.root}/ctrd.pid`))
  await daemon.restart()
  const main = `${import.meta.dirname}/../apps/daemon/src/main.ts`
  const second = await run([
    process.execPath,
    main,
    '-H',
    `unix://${daemon.root}/second.sock`,
    '--data-root',
    daemon.dataRoot,
    '--exec-root',
    daemon.execRoot,
    '--pidfile',
    `${daemon.root}/second.pid`,
    '--bridge',
    'none',
  ])
  assert.notEqual(second.code, 0)
  assert.match(second.stderr + second.stdout, /already|in use|another/i)
  assert.equal((await apiRequest(daemon.socketPath, 'GET', '/_ping')).text, 'OK')
})

test('two daemons do not disturb each other', { skip }, async () => {
  await using other = await startDaemon()
  await daemon.ok(['run', '-d', '--name', 'same', 'busybox', 'sleep', '300'])
  await other.ok(['run', '-d', '--name', 'same', 'busybox', 'sleep', '300'])
  const pids = [await pidOf(daemon, 'same'), await pidOf(other, 'same')]
  await other.kill9()
  await other.restart()
  await daemon.kill9()
  await daemon.restart()
  assert.deepEqual([await pidOf(daemon, 'same'), await pidOf(other, 'same')], pids)
  await other.ok(['rm', '-f', 'same'])
  assert.equal(await status('same'), 'running 0')
})

test('events of before are there after the return', { skip }, async () => {
  await daemon.ok(['run', '--name', 'history', 'busybox', 'true'])
  await daemon.kill9()
  await daemon.restart()
  const until = String(Date.now() / 1000)
  const out = await daemon.ok([
    'events',
    '--since',
    '10m',
    '--until',
    until,
    '--filter',
    'container=history',
    '--format',
    '{{.Action}}',
  ])
  const actions = out.split('\n').filter((action) => action !== 'attach')
  assert.deepEqual(actions, ['create', 'start', 'die'])
})

test('a client that waits sees the daemon go, and can wait again', { skip }, async () => {
  const directory = `${daemon.root}/waited`
  const script = 'until [ -e /go/go ]; do sleep 0.02; done; exit 3'
  const flags = ['-v', `${directory}:/go`, 'busybox', 'sh', '-c', script]
  await daemon.ok(['run', '-d', '--name', 'waited', ...flags])
  const waiting = daemon.ctr(['wait', 'waited'])
  await delay(100)
  await daemon.kill9()
  assert.notEqual((await waiting).code, 0)
  await daemon.restart()
  writeFileSync(`${directory}/go`, '')
  assert.equal(await daemon.ok(['wait', 'waited']), '3')
})
