import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run, waitFor } from '@ctr/testkit'
import { checkResult, inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

test('--ipc and --pid container:NAME join that container', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'a1', '--ipc', 'shareable', 'busybox', 'sleep', '300'])
  const pid = await pidOf(ctrd(), 'a1')
  for (const kind of ['ipc', 'pid']) {
    const link = `readlink /proc/self/ns/${kind}`
    const own = await inBusybox(ctrd(), link, [`--${kind}`, 'container:a1'])
    assert.equal(own, readlinkSync(`/proc/${pid}/ns/${kind}`))
    const absent = await ctrd().ctr(['run', `--${kind}`, 'container:nope', 'busybox', 'true'])
    checkResult({ code: 125, stderr: /No such container: nope/ }, absent)
  }
})

test('a mode container:NAME goes on to mean that container when another has its name', {
  skip,
}, async () => {
  const shared = ['run', '-d', '--ipc', 'shareable']
  const id = await ctrd().ok([...shared, '--name', 'first', 'busybox', 'sleep', '300'])
  const modes = ['--ipc', '--pid', '--network'].flatMap((flag) => [flag, 'container:first'])
  await ctrd().ok([
    'create',
    '--name',
    'joins',
    ...modes,
    'busybox',
    'readlink',
    '/proc/self/ns/ipc',
  ])
  const shown = '{{.HostConfig.IpcMode}} {{.HostConfig.PidMode}} {{.HostConfig.NetworkMode}}'
  const inspected = await ctrd().ok(['inspect', '-f', shown, 'joins'])
  assert.equal(inspected, Array(3).fill(`container:${id}`).join(' '))
  await ctrd().ok(['rename', 'first', 'renamed'])
  await ctrd().ok([...shared, '--name', 'first', 'busybox', 'sleep', '300'])
  const pid = await pidOf(ctrd(), 'renamed')
  assert.equal(await ctrd().ok(['start', '-a', 'joins']), readlinkSync(`/proc/${pid}/ns/ipc`))
  await ctrd().ok(['rm', '-f', 'first', 'renamed', 'joins'])
})

test('--ipc, --pid and --uts ns:/path join that namespace', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'a1', '--hostname', 'other', 'busybox', 'sleep', '300'])
  const pid = await pidOf(ctrd(), 'a1')
  for (const kind of ['ipc', 'pid', 'uts']) {
    const path = `/proc/${pid}/ns/${kind}`
    const link = `readlink /proc/self/ns/${kind}`
    assert.equal(await inBusybox(ctrd(), link, [`--${kind}`, `ns:${path}`]), readlinkSync(path))
    for (const bad of ['ns:relative', 'ns:']) {
      const refused = await ctrd().ctr(['run', '--rm', `--${kind}`, bad, 'busybox', 'true'])
      checkResult({ code: 125, stderr: /mode/i }, refused)
    }
    const absent = ['run', '--rm', `--${kind}`, 'ns:/proc/none', 'busybox', 'true']
    checkResult({ code: 125, stderr: /\/proc\/none/ }, await ctrd().ctr(absent))
  }
  const uts = ['--uts', `ns:/proc/${pid}/ns/uts`]
  assert.equal(await inBusybox(ctrd(), 'hostname', uts), 'other')
  const named = await ctrd().ctr(['run', '--rm', ...uts, '--hostname', 'x', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /conflicting options: hostname and the UTS mode/ }, named)
  // What it leaves in the namespace of others ends with it.
  const joined = ['--pid', `ns:/proc/${pid}/ns/pid`]
  await inBusybox(ctrd(), 'sleep 4321 & sleep 0.1', joined)
  await waitFor('the end of what it started', async () => {
    return !(await ctrd().ok(['exec', 'a1', 'ps', '-o', 'args'])).includes('sleep 4321')
  })
})

test('private IPC is not for others', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'a2', 'busybox', 'sleep', '300'])
  const result = await ctrd().ctr(['run', '--ipc', 'container:a2', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /non-shareable IPC/ }, result)
})

test('with the host’s processes in view, leftovers still end with the container', {
  skip,
}, async () => {
  const seconds = String(12_000 + (process.pid % 1000))
  const script = `sleep ${seconds} & sleep 0.1`
  await ctrd().ok(['run', '--name', 'hp', '--pid', 'host', 'busybox', 'sh', '-c', script])
  await waitFor('the end of what it started', async () => {
    return (await run(['pgrep', '-f', `^sleep ${seconds}$`])).code === 1
  })
})

test('a host name needs a UTS namespace of its own', { skip }, async () => {
  const flags = ['--uts', 'host', '--hostname', 'x']
  const result = await ctrd().ctr(['run', ...flags, 'busybox', 'true'])
  checkResult({ code: 125, stderr: /conflicting options: hostname and the UTS mode/ }, result)
})
