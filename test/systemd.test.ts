import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run, waitFor } from '@ctr/testkit'
import { checkResult, field, pidOf, useDaemon } from './daemon-fixture.ts'

// Only where systemd is PID 1 (scripts/test-v2.sh --systemd).
const isBooted =
  existsSync('/run/systemd/system') && existsSync('/sys/fs/cgroup/cgroup.controllers')
const skip = requires({ root: true }) || (isBooted ? false : 'systemd does not run this machine')
const args = ['--exec-opt', 'native.cgroupdriver=systemd', '--cgroup-parent', 'ctrtest.slice']
const ctrd = isBooted ? useDaemon({ bridge: false, args }) : useDaemon({ bridge: false })

const MiB = 1024 * 1024

async function property(unit: string, name: string): Promise<string> {
  const { stdout } = await run(['systemctl', 'show', '--property', name, '--value', unit])
  return stdout.trim()
}

test('a container is a scope of systemd, with its limits, and leaves none', { skip }, async () => {
  assert.equal(await ctrd().ok(['info', '--format', '{{.CgroupDriver}}']), 'systemd')
  const id = await ctrd().ok(['run', '-d', '--name', 'one', '-m', '50m', 'busybox', 'sleep', '300'])
  const unit = `ctr-${id}.scope`
  const path = `/sys/fs/cgroup/ctrtest.slice/${unit}`
  const pid = await pidOf(ctrd(), 'one')
  assert.equal(readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim(), `0::/ctrtest.slice/${unit}`)
  await waitFor('the container alone', () => {
    return readFileSync(`${path}/cgroup.procs`, 'utf8').trim() === String(pid)
  })
  assert.equal(await property(unit, 'ActiveState'), 'active')
  assert.equal(await property(unit, 'MemoryMax'), String(50 * MiB))
  assert.equal(await property(unit, 'Description'), 'container one')

  await ctrd().ok(['update', '-m', '64m', '--memory-swap', '64m', 'one'])
  await run(['systemctl', 'daemon-reload'])
  assert.equal(readFileSync(`${path}/memory.max`, 'utf8').trim(), String(64 * MiB))

  assert.match(await ctrd().ok(['exec', 'one', 'cat', '/proc/self/cgroup']), /^0::\/$/)
  await ctrd().ok(['pause', 'one'])
  await ctrd().ok(['unpause', 'one'])
  assert.match(await ctrd().ok(['top', 'one']), /sleep 300/)
  assert.match(await ctrd().ok(['stats', '--no-stream', 'one']), /64MiB/)

  await ctrd().ok(['restart', '-t', '0', 'one'])
  assert.equal(await property(unit, 'ActiveState'), 'active')
  await ctrd().ok(['rm', '-f', 'one'])
  await waitFor('the end of the unit', async () => {
    return (await property(unit, 'LoadState')) === 'not-found'
  })
  assert.ok(!existsSync(path))
})

test('a container that cannot start leaves no scope', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--name', 'bad', 'busybox', 'nosuch'])
  checkResult({ code: 127 }, result)
  const unit = `ctr-${await field(ctrd(), 'bad', '{{.Id}}')}.scope`
  await waitFor('the end of the unit', async () => {
    return (await property(unit, 'LoadState')) === 'not-found'
  })
})

test('a container that ends at once can be started again and again', { skip }, async () => {
  await ctrd().ok(['create', '--name', 'short', 'busybox', 'true'])
  for (let i = 0; i < 6; i++) await ctrd().ok(['start', '-a', 'short'])
  const unit = `ctr-${await field(ctrd(), 'short', '{{.Id}}')}.scope`
  await waitFor('the end of the unit', async () => {
    return (await property(unit, 'LoadState')) === 'not-found'
  })
  await ctrd().ok(['rm', 'short'])
})

test('a slice of one’s own, and nothing else', { skip }, async () => {
  const flags = ['--cgroup-parent', 'ctrtest-b.slice', '--cgroupns', 'host']
  const out = await ctrd().ok(['run', '--rm', ...flags, 'busybox', 'cat', '/proc/self/cgroup'])
  assert.match(out, /^0::\/ctrtest.slice\/ctrtest-b.slice\/ctr-[0-9a-f]{64}\.scope$/)
  const result = await ctrd().ctr(['run', '--cgroup-parent', '/foo', 'busybox', 'true'])
  const stderr = /cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"/
  checkResult({ code: 125, stderr }, result)
})

test('ten at once, and a daemon that is killed', { skip }, async () => {
  const ids = await Promise.all(
    Array.from({ length: 10 }, () => ctrd().ok(['run', '-d', 'busybox', 'sleep', '300'])),
  )
  await ctrd().kill9()
  await ctrd().restart()
  assert.equal((await ctrd().ok(['ps', '-q'])).split('\n').length, 10)
  await ctrd().ok(['rm', '-f', ...ids])
  await waitFor('the end of all units', async () => {
    const { stdout } = await run(['systemctl', 'list-units', '--all', '--no-legend', 'ctr-*.scope'])
    return stdout.trim() === ''
  })
})

test('without systemd the driver is refused', {
  skip: requires({ root: true }) || (isBooted ? 'systemd is there' : false),
}, async () => {
  const ctrdPath = `${import.meta.dirname}/../bin/ctrd`
  const { code, stderr } = await run([
    ctrdPath,
    '--validate',
    '--exec-opt',
    'native.cgroupdriver=systemd',
  ])
  assert.equal(code, 1)
  assert.match(stderr, /native\.cgroupdriver=systemd.*systemd does not run this host/)
})
