import assert from 'node:assert/strict'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { checkResult, inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon()
// As Docker: a cgroup namespace of its own by default only where cgroup v2 is alone.
const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const kinds = ['mnt', 'uts', 'ipc', 'pid', 'net', ...(isUnified ? ['cgroup'] : [])]

test('a container has namespaces of its own', { skip }, async () => {
  const links = await inBusybox(
    ctrd(),
    `for n in ${kinds.join(' ')}; do readlink /proc/self/ns/$n; done`,
  )
  const own = links.split('\n')
  for (const [index, kind] of kinds.entries()) {
    assert.notEqual(
      own[index],
      readlinkSync(`/proc/self/ns/${kind}`),
      `${kind} is shared with the host`,
    )
  }
})

test('a host name set inside stays inside', { skip }, async () => {
  const before = hostname()
  const out = await inBusybox(ctrd(), 'hostname wsx; hostname', ['--cap-add', 'SYS_ADMIN'])
  assert.equal(out, 'wsx')
  assert.equal(hostname(), before)
})

test('--hostname sets the host name, and its default is the short id', { skip }, async () => {
  assert.equal(await inBusybox(ctrd(), 'hostname', ['--hostname', 'wsx']), 'wsx')
  const id = await ctrd().ok(['run', '-d', 'busybox', 'sleep', '300'])
  assert.equal(await ctrd().ok(['exec', id, 'hostname']), id.slice(0, 12))
})

test('message queues of the host are not seen', {
  skip: skip || requires({ commands: ['ipcmk', 'ipcrm'] }),
}, async () => {
  const made = await run(['ipcmk', '-Q'])
  const queue = /(\d+)\s*$/.exec(made.stdout)?.[1] ?? ''
  try {
    assert.equal(await inBusybox(ctrd(), 'wc -l < /proc/sysvipc/msg'), '1')
  } finally {
    await run(['ipcrm', '-q', queue])
  }
})

test('the first process is alone and has pid 1', { skip }, async () => {
  const out = await ctrd().ok(['run', '--rm', 'busybox', 'ps', '-o', 'pid,args'])
  assert.match(out, /^PID +COMMAND\n +1 ps -o pid,args$/)
})

test('--network none has the loopback device only', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'ls /sys/class/net', ['--network', 'none'])
  assert.equal(out, 'lo')
})

test('--network host has the devices of the host', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'readlink /proc/self/ns/net', ['--network', 'host'])
  assert.equal(out, readlinkSync('/proc/self/ns/net'))
})

test('--network container:NAME joins that container', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'a1', 'busybox', 'sleep', '300'])
  const out = await inBusybox(ctrd(), 'readlink /proc/self/ns/net', ['--network', 'container:a1'])
  assert.equal(out, readlinkSync(`/proc/${await pidOf(ctrd(), 'a1')}/ns/net`))
  const addressed = await ctrd().request('POST', '/containers/create', {
    Image: 'busybox',
    HostConfig: { NetworkMode: 'container:a1' },
    NetworkingConfig: { EndpointsConfig: { 'container:a1': { MacAddress: '92:d0:c6:0a:29:33' } } },
  })
  assert.equal(addressed.status, 400)
  assert.match(addressed.text, /conflicting options: mac-address and the network mode/)
})

test('aliases on a predefined network are refused at the start and at connect', {
  skip,
}, async () => {
  const EndpointsConfig = { none: { Aliases: ['foo'] } }
  const body = {
    Image: 'busybox',
    HostConfig: { NetworkMode: 'none' },
    NetworkingConfig: { EndpointsConfig },
  }
  const created = await ctrd().request('POST', '/containers/create?name=aliased', body)
  assert.equal(created.status, 201, created.text)
  const started = await ctrd().request('POST', '/containers/aliased/start')
  assert.equal(started.status, 400)
  const message = /network-scoped alias is supported only for containers in user defined networks/
  assert.match(started.text, message)
  const connect = { Container: 'aliased', EndpointConfig: { Aliases: ['foo'] } }
  const connected = await ctrd().request('POST', '/networks/none/connect', connect)
  assert.equal(connected.status, 400)
  assert.match(connected.text, message)
  await ctrd().ok(['rm', 'aliased'])
})

test('--network container:NAME of an unknown container is an error and leaves nothing', {
  skip,
}, async () => {
  const result = await ctrd().ctr(['run', '--network', 'container:nope', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /No such container: nope/ }, result)
})

test('the mount table of the host is as before a run', { skip }, async () => {
  // Other tests have engines at work.
  const foreign = /\/tmp\/|\/docker\/|\/containers\//
  const mounts = (): string[] =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(ctrd().root) || !foreign.test(line))
  const before = mounts()
  await inBusybox(ctrd(), 'true')
  assert.deepEqual(mounts(), before)
})

test('in its cgroup namespace a container sees itself at the root', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'cut -d: -f3 /proc/self/cgroup | sort -u', [
    '--cgroupns',
    'private',
  ])
  assert.equal(out, '/')
})

test('an exec is in the namespaces of its container', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'cc', 'busybox', 'sleep', '300'])
  const pid = await pidOf(ctrd(), 'cc')
  for (const kind of kinds) {
    const inside = await ctrd().ok(['exec', 'cc', 'readlink', `/proc/self/ns/${kind}`])
    assert.equal(inside, readlinkSync(`/proc/${pid}/ns/${kind}`), kind)
  }
})
