import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { checkResult, field, pidOf, sleeper, status, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

test('create makes, start -a runs, and start again runs again', { skip }, async () => {
  await ctrd().ok(['create', '--name', 'cr', 'busybox', 'echo', 'hi'])
  assert.equal(await field(ctrd(), 'cr', '{{.State.Status}} {{.State.Pid}}'), 'created 0')
  assert.equal(await ctrd().ok(['start', '-a', 'cr']), 'hi')
  assert.equal(await ctrd().ok(['start', '-a', 'cr']), 'hi')
  assert.equal(await ctrd().ok(['logs', 'cr']), 'hi\nhi')
})

test('-d prints the whole id at once and the container goes on', { skip }, async () => {
  const id = await ctrd().ok(['run', '-d', 'busybox', 'sleep', '300'])
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.equal(await status(ctrd(), id), 'running 0')
  assert.match(
    await ctrd().ok(['ps']),
    new RegExp(`^${id.slice(0, 12)} +busybox +"sleep 300" +.*Up `, 'm'),
  )
})

test('stop sends SIGKILL after the timeout', { skip }, async () => {
  await ctrd().ok([
    'run',
    '-d',
    '--name',
    'deaf',
    'busybox',
    'sh',
    '-c',
    'trap "" TERM; while :; do sleep 0.1; done',
  ])
  const startedMs = Date.now()
  await ctrd().ok(['stop', '-t', '1', 'deaf'])
  const elapsedMs = Date.now() - startedMs
  // Less than the ten seconds of who names no time.
  assert.ok(elapsedMs >= 1000 && elapsedMs < 9000, `${elapsedMs} ms`)
  assert.equal(await status(ctrd(), 'deaf'), 'exited 137')
})

test('stop lets a program end by itself', { skip }, async () => {
  const script = 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done'
  await ctrd().ok(['run', '-d', '--name', 'polite', 'busybox', 'sh', '-c', script])
  await waitFor('the trap', async () => (await ctrd().ok(['logs', 'polite'])) === 'ready')
  await ctrd().ok(['stop', 'polite'])
  assert.equal(await ctrd().ok(['logs', 'polite']), 'ready\nbye')
  assert.equal(await status(ctrd(), 'polite'), 'exited 3')
  await ctrd().ok(['stop', 'polite'])
})

test('kill of a stopped container is an error', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'gone', 'busybox', 'true'])
  checkResult({ code: 1, stderr: /is not running/ }, await ctrd().ctr(['kill', 'gone']))
})

test('rm refuses a running container, rm -f does not', { skip }, async () => {
  await sleeper(ctrd(), 'rr')
  checkResult(
    {
      code: 1,
      stderr:
        /cannot remove container.*container is running: stop the container before removing or force remove/,
    },
    await ctrd().ctr(['rm', 'rr']),
  )
  assert.equal(await status(ctrd(), 'rr'), 'running 0')
  assert.equal(await ctrd().ok(['rm', '-f', 'rr']), 'rr')
  checkResult({ code: 1, stderr: /No such container: rr/ }, await ctrd().ctr(['rm', 'rr']))
})

test('a name can be used again only after rm', { skip }, async () => {
  const id = await sleeper(ctrd(), 'twice')
  const result = await ctrd().ctr(['run', '--name', 'twice', 'busybox', 'true'])
  checkResult(
    {
      code: 125,
      stderr: new RegExp(
        `Conflict\\. The container name "/twice" is already in use by container "?${id}`,
      ),
    },
    result,
  )
  await ctrd().ok(['rm', '-f', 'twice'])
  await ctrd().ok(['run', '--name', 'twice', 'busybox', 'true'])
})

test('names obey Docker’s rule', { skip }, async () => {
  for (const name of ['a/b', '-x', 'a b', 'x', '']) {
    const result = await ctrd().ctr(['create', `--name=${name}`, 'busybox', 'true'])
    if (name === '') continue // no name at all
    checkResult(
      {
        code: 1,
        stderr:
          /Invalid container name \(.*\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\]\* are allowed|Invalid container name/,
      },
      result,
    )
  }
  await ctrd().ok(['create', '--name', 'ok_1.2-3', 'busybox', 'true'])
  await ctrd().ok(['create', '--name', 'nn'.repeat(1024), 'busybox', 'true'])
})

test('an id is known by any unique prefix', { skip }, async () => {
  const id = await sleeper(ctrd(), 'prefix')
  assert.equal(await field(ctrd(), id.slice(0, 6), '{{.Name}}'), '/prefix')
})

test('ten containers start, stop and go at the same time', { skip }, async () => {
  const names = Array.from({ length: 10 }, (_, index) => `par${index}`)
  await Promise.all(names.map(async (name) => await sleeper(ctrd(), name)))
  assert.equal((await ctrd().ok(['ps', '-q'])).split('\n').length, 10)
  await Promise.all(names.map((name) => ctrd().ok(['stop', '-t', '0', name])))
  await Promise.all(names.map((name) => ctrd().ok(['rm', name])))
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

test('of several that remove one container one wins and the others get a clean error', {
  skip,
}, async () => {
  await sleeper(ctrd(), 'once')
  const results = await Promise.all(
    Array.from({ length: 6 }, () => ctrd().ctr(['rm', '-f', 'once'])),
  )
  assert.ok(results.some(({ code, stdout }) => code === 0 && stdout === 'once\n'))
  for (const { code, stderr } of results) {
    if (code !== 0)
      assert.match(
        stderr,
        /No such container: once|removal of container \S+ is already in progress/,
      )
  }
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

test('--rm removes the container and its anonymous volumes', { skip }, async () => {
  const id = await ctrd().ok(['run', '-d', '--rm', '-v', '/data', 'busybox', 'sleep', '300'])
  const volume = await field(ctrd(), id, '{{(index .Mounts 0).Name}}')
  await ctrd().ok(['stop', '-t', '0', id])
  await waitFor('the removal', async () => (await ctrd().ok(['ps', '-aq'])) === '')
  assert.doesNotMatch(await ctrd().ok(['volume', 'ls', '-q']), new RegExp(volume))
})

test('a failing program is restarted as often as --restart says', { skip }, async () => {
  await ctrd().ok([
    'run',
    '-d',
    '--name',
    'again',
    '--restart',
    'on-failure:2',
    'busybox',
    'sh',
    '-c',
    'echo x; exit 5',
  ])
  await waitFor(
    'the end of the restarts',
    async () => (await status(ctrd(), 'again')) === 'exited 5',
  )
  assert.equal(await field(ctrd(), 'again', '{{.RestartCount}}'), '2')
  assert.equal(await ctrd().ok(['logs', 'again']), 'x\nx\nx')
})

test('--restart with --rm is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--rm', '--restart', 'always', 'busybox', 'true'])
  checkResult(
    {
      code: 125,
      stderr: /[Cc]onflicting options: (--restart and --rm|cannot specify both --restart and --rm)/,
    },
    result,
  )
})

test('a killed shim takes its container down and inspect says so', { skip }, async () => {
  await sleeper(ctrd(), 'orphan')
  const pid = await pidOf(ctrd(), 'orphan')
  const shim = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  assert.match(readFileSync(`/proc/${shim}/cmdline`, 'utf8'), /ctr-shim/)
  process.kill(shim, 'SIGKILL')
  await waitFor(
    'the end of the container',
    async () => (await status(ctrd(), 'orphan')) === 'exited 137',
  )
  await waitFor('the end of the process', () => !existsSync(`/proc/${pid}`))
  assert.notEqual(await field(ctrd(), 'orphan', '{{.State.Error}}'), '')
})

test('wait prints the code of each container', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'w1', 'busybox', 'sh', '-c', 'exit 3'])
  await ctrd().ok(['run', '-d', '--name', 'w2', 'busybox', 'sh', '-c', 'exit 4'])
  assert.equal(await ctrd().ok(['wait', 'w1', 'w2']), '3\n4')
})

test('run --explain prints the launch program and makes nothing', { skip }, async () => {
  const program = await ctrd().ok(['run', '--explain', '-m', '64m', 'busybox', 'echo', 'hello'])
  for (const pattern of [/clone/, /overlay/, /pivot_root/, /seccomp/, /exec.*echo.*hello/])
    assert.match(program, pattern)
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})
