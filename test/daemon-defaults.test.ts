import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { requires, startDaemon } from '@ctr/testkit'

// What flags of ctrd decide for containers that do not say otherwise.
const skip = requires({ root: true })
const directory = mkdtempSync('/tmp/ctr-defaults-')
after(() => rmSync(directory, { recursive: true }))

const PROFILE = `${directory}/no-chown.json`
writeFileSync(
  PROFILE,
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['chown', 'fchownat', 'lchown', 'fchown'], action: 'SCMP_ACT_ERRNO' }],
  }),
)
const CHOWN = ['busybox', 'chown', '1', '/tmp']
const POLICY = ['busybox', 'grep', 'Seccomp:', '/proc/1/status']

test('--seccomp-profile is the policy of all containers that name none', { skip }, async () => {
  await using daemon = await startDaemon({ bridge: false, args: ['--seccomp-profile', PROFILE] })
  const refused = await daemon.ctr(['run', '--rm', ...CHOWN])
  assert.match(refused.stderr, /Operation not permitted/)
  assert.equal(refused.code, 1)
  for (const flags of [['--security-opt', 'seccomp=builtin'], ['--privileged']]) {
    assert.equal((await daemon.ctr(['run', '--rm', ...flags, ...CHOWN])).code, 0, flags.join(' '))
  }
  assert.equal(
    await daemon.ok(['info', '-f', '{{index .SecurityOptions 0}}']),
    `name=seccomp,profile=${PROFILE}`,
  )
  // An exec has the container's.
  await daemon.ok(['run', '-d', '--name', 'box', 'busybox', 'sleep', '300'])
  assert.equal((await daemon.ctr(['exec', 'box', 'chown', '1', '/tmp'])).code, 1)
})

test('--seccomp-profile unconfined: no policy but the one a container names', {
  skip,
}, async () => {
  await using daemon = await startDaemon({
    bridge: false,
    args: ['--seccomp-profile', 'unconfined'],
  })
  assert.equal(await daemon.ok(['run', '--rm', ...POLICY]), 'Seccomp:\t0')
  const own = ['--security-opt', 'seccomp=builtin']
  assert.equal(await daemon.ok(['run', '--rm', ...own, ...POLICY]), 'Seccomp:\t2')
})

test('a default that no container could start with is refused', { skip }, async () => {
  writeFileSync(`${directory}/broken.json`, '{')
  for (const [args, message] of [
    [['--seccomp-profile', '/nonexistent'], /ctrd: seccomp profile \/nonexistent: ENOENT/],
    [['--seccomp-profile', `${directory}/broken.json`], /ctrd: seccomp profile .*broken\.json: /],
    [['--userns-remap', 'nosuchuser'], /no subordinate ids for "nosuchuser" in \/etc\/subuid/],
  ] as const) {
    await assert.rejects(startDaemon({ bridge: false, args: [...args] }), { message })
  }
})

test('IPC mode, cgroup namespace, host-gateway and ulimits of containers that name none', {
  skip,
}, async () => {
  await using daemon = await startDaemon({
    bridge: false,
    args: [
      '--default-ipc-mode',
      'shareable',
      '--default-cgroupns-mode',
      'private',
      '--host-gateway-ip',
      '192.0.2.7',
      '--host-gateway-ip',
      '2001:db8::7',
      '--default-ulimit',
      'nofile=65:66',
      '--default-ulimit',
      'nproc=4000',
    ],
  })
  await daemon.ok(['create', '--name', 'one', 'busybox'])
  await daemon.ok([
    'create',
    '--name',
    'two',
    '--ipc',
    'private',
    '--ulimit',
    'nofile=70',
    'busybox',
  ])
  const modes = '{{.HostConfig.IpcMode}} {{.HostConfig.CgroupnsMode}} {{json .HostConfig.Ulimits}}'
  const inspect = async (name: string): Promise<string> =>
    await daemon.ok(['inspect', '-f', modes, name])
  const nproc = '{"Name":"nproc","Hard":4000,"Soft":4000}'
  const parse = (text: string): unknown => JSON.parse(text.slice(text.indexOf('[')))
  assert.match(await inspect('one'), /^shareable private /)
  assert.deepEqual(parse(await inspect('one')), [
    { Name: 'nofile', Hard: 66, Soft: 65 },
    JSON.parse(nproc),
  ])
  assert.match(await inspect('two'), /^private private /)
  assert.deepEqual(parse(await inspect('two')), [
    { Name: 'nofile', Hard: 70, Soft: 70 },
    JSON.parse(nproc),
  ])
  const script = 'ulimit -n; grep gate /etc/hosts'
  const argv = ['run', '--rm', '--add-host', 'gate:host-gateway', 'busybox', 'sh', '-c', script]
  assert.equal(await daemon.ok(argv), '65\n192.0.2.7\tgate\n2001:db8::7\tgate')
})

test('--oom-score-adjust is of ctrd and its shims, not of containers; --log-format text is words', {
  skip,
}, async () => {
  const args = ['--oom-score-adjust', '300', '--log-format', 'text', '--userland-proxy=false']
  await using daemon = await startDaemon({ bridge: false, args })
  await daemon.ok(['run', '-d', '--name', 'box', 'busybox', 'sleep', '300'])
  const scoreOf = (pid: number | string): string =>
    readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()
  const pid = await daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'box'])
  const shim = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
  assert.deepEqual([scoreOf(daemon.pid), scoreOf(shim), scoreOf(pid)], ['300', '300', '0'])
  assert.equal(await daemon.ok(['exec', 'box', 'cat', '/proc/self/oom_score_adj']), '0')
  assert.match(daemon.log, /^time=\S+ level=info msg="ctrd is ready" pid=\d+ dataRoot=\//m)
  assert.match(
    daemon.log,
    /level=warn msg="an option has no effect here" option=userland-proxy why="the shim listens/,
  )
})

test('--init-path is the program of --init', { skip }, async () => {
  const init = `${directory}/init`
  copyFileSync(`${import.meta.dirname}/../packages/shim/native/build/ctr-init`, init)
  await using daemon = await startDaemon({ bridge: false, args: ['--init-path', init] })
  assert.equal(await daemon.ok(['info', '-f', '{{.InitBinary}}']), init)
  const names = await daemon.ok(['run', '--rm', '--init', 'busybox', 'cat', '/proc/1/cmdline'])
  assert.match(names, /^\/sbin\/docker-init\0--\0cat\0/)
})
