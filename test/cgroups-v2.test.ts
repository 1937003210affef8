import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'
import { loopDevice, noLoop } from './loop-device.ts'

// What only a host with nothing but cgroup v2 can show.
const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const skip = requires({ root: true }) || (isUnified ? false : 'the host is not pure cgroup v2')
const ctrd = useDaemon({ bridge: false })

const MiB = 1024 * 1024

test('limits are those files, by the conversions that Docker documents', { skip }, async () => {
  const read = async (flags: readonly string[], ...files: readonly string[]): Promise<string[]> => {
    const names = files.map((file) => `/sys/fs/cgroup/${file}`).join(' ')
    return (await inBusybox(ctrd(), `cat ${names}`, flags)).split('\n')
  }
  const memory = ['-m', '50m', '--memory-swap', '80m', '--memory-reservation', '20m']
  assert.deepEqual(await read(memory, 'memory.max', 'memory.swap.max', 'memory.low'), [
    String(50 * MiB),
    String(30 * MiB),
    String(20 * MiB),
  ])
  // Docker: as much swap as memory when nothing is said.
  assert.deepEqual(await read(['-m', '50m'], 'memory.swap.max'), [String(50 * MiB)])
  assert.deepEqual(await read(['-m', '50m', '--memory-swap', '-1'], 'memory.swap.max'), ['max'])
  assert.deepEqual(await read(['--cpu-shares', '1024'], 'cpu.weight'), ['100'])
  assert.deepEqual(await read(['--cpu-shares', '2'], 'cpu.weight'), ['1'])
  assert.deepEqual(await read(['--cpu-quota', '25000', '--cpu-period', '50000'], 'cpu.max'), [
    '25000 50000',
  ])
  assert.deepEqual(await read(['--pids-limit', '7'], 'pids.max'), ['7'])
})

test('limits of block devices are lines of io.max', { skip: skip || noLoop }, async () => {
  await using disk = await loopDevice(ctrd().root, MiB)
  const flags = [
    ['--device-read-bps', '1mb'],
    ['--device-write-bps', '2mb'],
    ['--device-read-iops', '100'],
    ['--device-write-iops', '200'],
  ].flatMap(([flag = '', value = '']) => [flag, `${disk.path}:${value}`])
  assert.equal(
    await inBusybox(ctrd(), 'cat /sys/fs/cgroup/io.max', flags),
    `${disk.numbers} rbps=${MiB} wbps=${2 * MiB} riops=100 wiops=200`,
  )
})

test('update changes the files of a running container', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'live', '-m', '100m', 'busybox', 'sleep', '300'])
  await ctrd().ok(['update', '-m', '64m', '--memory-swap', '96m', '--cpu-shares', '512', 'live'])
  const files = 'cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.weight'
  const text = await ctrd().ok(['exec', 'live', 'sh', '-c', files])
  assert.deepEqual(text.split('\n'), [String(64 * MiB), String(32 * MiB), '59'])
})

test('a container sees its cgroup as the root, with --cgroupns host where it is', {
  skip,
}, async () => {
  assert.equal(await inBusybox(ctrd(), 'cat /proc/self/cgroup'), '0::/')
  const host = await inBusybox(ctrd(), 'cat /proc/self/cgroup', ['--cgroupns', 'host'])
  assert.match(host, new RegExp(`^0::/${ctrd().cgroup}/[0-9a-f]{64}$`))
})

test('exec in a container that has made cgroups of its own', { skip }, async () => {
  const script = `
    cd /sys/fs/cgroup
    mkdir mine
    echo 1 >mine/cgroup.procs
    echo +pids >cgroup.subtree_control
    exec sleep 300`
  await ctrd().ok(['run', '-d', '--privileged', '--name', 'own', 'busybox', 'sh', '-c', script])
  const cgroup = readFileSync(`/proc/${await pidOf(ctrd(), 'own')}/cgroup`, 'utf8').trim()
  // Its own cgroup takes no processes any more: the exec is where its init is.
  await ctrd().ok([
    'exec',
    'own',
    'sh',
    '-c',
    'until grep -q pids /sys/fs/cgroup/cgroup.subtree_control; do sleep 0.1; done',
  ])
  assert.equal(await ctrd().ok(['exec', 'own', 'cat', '/proc/self/cgroup']), '0::/mine')
  assert.match(cgroup, /^0::/)
  await ctrd().ok(['rm', '-f', 'own'])
})

test('stats tell the pressure', {
  skip: skip || (existsSync('/proc/pressure/cpu') ? false : 'a kernel without PSI'),
}, async () => {
  await ctrd().ok(['run', '-d', '--name', 'psi', '--cpus', '0.1', 'busybox', 'sh', '-c', BUSY])
  await waitFor('two loops that wait for each other', async () => {
    const answer = await ctrd().request('GET', '/containers/psi/stats?stream=false')
    const { pressure } = answer.json() as { pressure: Record<string, Pressure> }
    assert.deepEqual(Object.keys(pressure).sort(), ['cpu', 'io', 'memory'])
    return (pressure['cpu']?.some?.total ?? 0) > 100_000
  })
})

interface Pressure {
  readonly some?: { readonly total: number }
}

const BUSY = 'while :; do :; done & while :; do :; done'
