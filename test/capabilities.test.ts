import assert from 'node:assert/strict'
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { requires, run, waitFor } from '@ctr/testkit'
import { cgroupDirectory, cpuUse, preferParent, readLimit } from './cgroup-files.ts'
import { checkResult, field, inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'

// Lines of the list of capabilities that no other file has; docs/capabilities.md says where the others are.
const skip = requires({ root: true })
const ctrd = useDaemon({ args: ['--debug'] })

async function sleeper(name: string, ...flags: readonly string[]): Promise<number> {
  await ctrd().ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '300'])
  return await pidOf(ctrd(), name)
}

test('--ipc host sees the message queues of the host', {
  skip: skip || requires({ commands: ['ipcmk', 'ipcrm'] }),
}, async () => {
  const { stdout } = await run(['ipcmk', '-Q'])
  const id = /\d+/.exec(stdout)?.[0] ?? ''
  try {
    const queues = `awk '$2 == ${id}' /proc/sysvipc/msg | wc -l`
    assert.equal(await inBusybox(ctrd(), queues, ['--ipc', 'host']), '1')
    assert.equal(await inBusybox(ctrd(), queues), '0')
  } finally {
    await run(['ipcrm', '-q', id])
  }
})

test('diff tells what was changed, added and deleted; the next container has none of it', {
  skip,
}, async () => {
  const script = 'echo x >>/etc/passwd; mkdir /n; rm -rf /usr'
  await ctrd().ok(['run', '--name', 'cow', 'busybox', 'sh', '-c', script])
  assert.equal(await ctrd().ok(['diff', 'cow']), 'C /etc\nC /etc/passwd\nA /n\nD /usr')
  assert.equal(
    await inBusybox(ctrd(), 'grep -c "^x$" /etc/passwd; ls -d /usr; ls -d /n || true'),
    '0\n/usr',
  )
})

const device = ['/dev/fuse', '/dev/net/tun'].find((path) => existsSync(path))

test('a device that is given for reading cannot be written', {
  skip: skip || (device === undefined ? 'there is no device that does no harm' : false),
}, async () => {
  const script = ': </dev/foo && echo read; echo x >/dev/foo'
  const flags = ['--device', `${device}:/dev/foo:r`]
  const result = await ctrd().ctr(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script])
  const stderr = /can't create \/dev\/foo: Operation not permitted/
  checkResult({ code: 1, stdout: 'read\n', stderr }, result)
})

test('two busy containers share a processor by their weights', { skip }, async () => {
  const loop = ['busybox', 'sh', '-c', 'while :; do :; done']
  const pids: number[] = []
  for (const shares of ['1024', '512']) {
    const flags = ['--name', `w${shares}`, '--cpuset-cpus', '0', '--cpu-shares', shares]
    await ctrd().ok(['run', '-d', ...flags, ...loop])
    pids.push(await pidOf(ctrd(), `w${shares}`))
  }
  // 2 on cgroup v1; on v2 the conversion has its own.
  const weight = { controller: 'cpu', v1: 'cpu.shares', v2: 'cpu.weight' }
  const [heavy = 0, light = 1] = pids.map((pid) => Number(readLimit(pid, weight)))
  preferParent(pids[0] ?? 0)
  await waitFor(`a ratio of ${heavy / light} within a tenth`, async () => {
    const before = pids.map(cpuUse)
    await delay(2000)
    const [first = 0, second = 1] = pids.map(
      (pid, index) => cpuUse(pid).usedUs - (before[index]?.usedUs ?? 0),
    )
    return Math.abs(first / second / (heavy / light) - 1) < 0.1
  })
})

test('memory nodes are those of the parent, or those asked for, or refused', { skip }, async () => {
  const mems = async (name: string, ...flags: string[]): Promise<string> => {
    const { path, version } = cgroupDirectory(await sleeper(name, ...flags), 'cpuset')
    return readFileSync(`${path}/cpuset.mems${version === 2 ? '.effective' : ''}`, 'utf8').trim()
  }
  const all = readFileSync('/sys/devices/system/node/online', 'utf8').trim()
  assert.equal(await mems('inherits'), all)
  assert.equal(await mems('asks', '--cpuset-mems', '0'), '0')
  const refused = await ctrd().ctr(['run', '--rm', '--cpuset-mems', '77', 'busybox', 'true'])
  checkResult(
    { code: 125, stderr: /Requested memory nodes are not available - requested 77/ },
    refused,
  )
})

test('an OOM kill is an event between start and die', { skip }, async () => {
  const greedy = 'x=a; while :; do x=$x$x; done'
  const flags = ['--name', 'ev', '-m', '10m', '--memory-swap', '10m']
  assert.equal((await ctrd().ctr(['run', ...flags, 'busybox', 'sh', '-c', greedy])).code, 137)
  assert.deepEqual((await eventsOf('ev')).slice(-3), ['start', 'oom', 'die'])
})

test('events tell a life from create to destroy', { skip }, async () => {
  await sleeper('life')
  await ctrd().ok(['network', 'create', 'evn'])
  for (const args of [
    ['exec', 'life', 'true'],
    ['pause', 'life'],
    ['unpause', 'life'],
    ['network', 'connect', 'evn', 'life'],
    ['network', 'disconnect', 'evn', 'life'],
    ['rename', 'life', 'life2'],
    ['kill', 'life2'],
  ]) {
    await ctrd().ok(args)
  }
  await ctrd().ok(['wait', 'life2'])
  await ctrd().ok(['rm', 'life2'])
  await ctrd().ok(['network', 'rm', 'evn'])
  assert.equal(
    (await eventsOf('life2', 'life')).join(' '),
    'create start exec_create exec_start exec_die pause unpause rename kill die destroy',
  )
  const network = await events('--filter', 'network=evn')
  assert.deepEqual(network, ['create', 'connect', 'disconnect', 'destroy'])
})

/** Actions of containers by these names, without those of clients (attach). */
async function eventsOf(...names: string[]): Promise<string[]> {
  const filters = names.flatMap((name) => ['--filter', `container=${name}`])
  return (await events('--filter', 'type=container', ...filters)).filter(
    (name) => name !== 'attach',
  )
}

async function events(...filters: string[]): Promise<string[]> {
  const until = (Date.now() / 1000 + 0.001).toFixed(3)
  const args = ['events', '--since', '1h', '--until', until, '--format', '{{.Action}}', ...filters]
  return (await ctrd().ok(args)).split('\n').map((action) => action.split(':')[0] ?? '')
}

test('limits of resources hold for the program and for an exec', { skip }, async () => {
  const flags = ['--ulimit', 'nofile=64:65', '--ulimit', 'fsize=1024']
  await sleeper('ul', ...flags)
  const look =
    'ulimit -Sn; ulimit -Hn; dd if=/dev/zero of=/x bs=2048 count=1 2>/dev/null; ls -l /x | awk "{ print \\$5 }"'
  assert.equal(await inBusybox(ctrd(), look, flags), '64\n65\n1024')
  assert.equal(await ctrd().ok(['exec', 'ul', 'sh', '-c', look]), '64\n65\n1024')
  const refused = await ctrd().ctr(['run', '--rm', '--ulimit', 'bogus=1', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /invalid ulimit type: bogus/ }, refused)
})

test('kernel settings of its namespaces only', { skip }, async () => {
  const read = 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
  const flags = ['--sysctl', 'net.ipv4.ip_forward=0', '--sysctl', 'kernel.msgmax=9000']
  assert.equal(await inBusybox(ctrd(), read, flags), '0\n9000')
  for (const [words, stderr] of [
    [['--sysctl', 'nonsense=1'], /sysctl 'nonsense=1' is not allowed/],
    [['--sysctl', 'kernel.panic=1'], /sysctl 'kernel.panic=1' is not allowed/],
    [
      ['--network', 'host', '--sysctl', 'net.ipv4.ip_forward=0'],
      /not allowed in host network namespace/,
    ],
    [['--ipc', 'host', '--sysctl', 'kernel.msgmax=9000'], /not allowed in the hosts ipc namespace/],
  ] as const) {
    checkResult(
      { code: 125, stderr },
      await ctrd().ctr(['run', '--rm', ...words, 'busybox', 'true']),
    )
  }
})

test('a container has a session keyring of its own', { skip }, async () => {
  const keyring = 'grep -o "_ses[^:]*" /proc/keys | sort -u'
  const shown = ['--security-opt', 'systempaths=unconfined']
  const id = await ctrd().ok([
    'run',
    '-d',
    ...shown,
    'busybox',
    'sh',
    '-c',
    `${keyring}; sleep 300`,
  ])
  await waitFor('its keys', async () => (await ctrd().ok(['logs', id])) !== '')
  const seen = (await ctrd().ok(['logs', id])).split('\n')
  assert.ok(seen.includes(`_ses.${id}`), seen.join(' '))
})

test('ps shows how a container ended, and filters by state', { skip }, async () => {
  await ctrd().ctr(['run', '--name', 'five', 'busybox', 'sh', '-c', 'exit 5'])
  await sleeper('frozen')
  await ctrd().ok(['pause', 'frozen'])
  const columns = '{{.Names}}|{{.Command}}|{{.Status}}'
  const all = await ctrd().ok(['ps', '-a', '--no-trunc', '--format', columns])
  assert.match(all, /^five\|"sh -c 'exit 5'"\|Exited \(5\) /m)
  assert.match(all, /^frozen\|"sleep 300"\|Up .* \(Paused\)$/m)
  const paused = ['ps', '--filter', 'status=paused', '--format', 'json']
  assert.equal((JSON.parse(await ctrd().ok(paused)) as { Names: string }).Names, 'frozen')
  await ctrd().ok(['unpause', 'frozen'])
})

test('top shows the main process and those of execs', { skip }, async () => {
  await sleeper('tt')
  await ctrd().ok(['exec', '-d', 'tt', 'sleep', '888'])
  await waitFor('both', async () => {
    const lines = (await ctrd().ok(['top', 'tt', '-o', 'pid,args'])).split('\n').slice(1)
    return lines.length === 2 && lines.some((line) => line.endsWith('sleep 888'))
  })
  // Which ps(1) refuses for processes that it is told by number.
  assert.match(await ctrd().ok(['top', 'tt', 'axo', 'pid,args', '--forest']), / sleep 888$/m)
})

const disk = '/dev/vda'
const isDisk = existsSync(disk) && statSync(disk).isBlockDevice()
// TMPFS_MAGIC, statfs(2): what is written there, as in docker-compose.test.yml, is no block I/O.
const rootsInMemory = statfsSync('/tmp').type === 0x0102_1994 && '/tmp is a tmpfs'

// On cgroup v1 the kernel counts what it may have to throttle, or what BFQ schedules.
test('stats tell processors, memory, block I/O and processes', {
  skip: skip || (isDisk ? rootsInMemory : `there is no ${disk}`),
}, async () => {
  const script =
    'dd if=/dev/zero of=/x bs=64k count=16 oflag=direct 2>/dev/null; echo done; sleep 300 & sleep 300'
  await ctrd().ok([
    'run',
    '-d',
    '--name',
    'st',
    '-m',
    '64m',
    '--device-write-bps',
    `${disk}:1gb`,
    'busybox',
    'sh',
    '-c',
    script,
  ])
  await waitFor('its file', async () => (await ctrd().ok(['logs', 'st'])) === 'done')
  interface Stats {
    readonly cpu_stats: {
      readonly cpu_usage: { readonly total_usage: number; readonly percpu_usage?: number[] }
    }
    readonly memory_stats: { readonly usage: number; readonly limit: number }
    readonly pids_stats: { readonly current: number }
    readonly blkio_stats: {
      readonly io_service_bytes_recursive: { op: string; value: number }[] | null
    }
  }
  let stats: Stats | undefined
  await waitFor('its writes', async () => {
    stats = (
      await ctrd().request('GET', '/containers/st/stats?stream=0&one-shot=1')
    ).json() as Stats
    const bytes = stats.blkio_stats.io_service_bytes_recursive ?? []
    return bytes.some(({ op, value }) => /^write$/i.test(op) && value >= 1 << 20)
  })
  assert.ok(stats !== undefined)
  assert.ok(stats.cpu_stats.cpu_usage.total_usage > 0)
  assert.equal(stats.memory_stats.limit, 64 << 20)
  assert.ok(stats.memory_stats.usage > 0 && stats.memory_stats.usage <= 64 << 20)
  assert.equal(stats.pids_stats.current, 2)
})

test('a start that fails leaves no process, cgroup, device or address', { skip }, async () => {
  await ctrd().ok(['network', 'create', '--subnet', '10.79.31.0/30', 'tiny'])
  try {
    const made = ['create', '--name', 'cc', '--network', 'tiny', 'busybox', 'nosuchcommand']
    const id = await ctrd().ok(made)
    for (let round = 0; round < 3; round++) {
      checkResult(
        { code: 1, stderr: /executable file not found/ },
        await ctrd().ctr(['start', 'cc']),
      )
      assert.equal(await field(ctrd(), 'cc', '{{.State.Pid}} {{.State.Status}}'), '0 created')
      const left = (await run(['find', '/sys/fs/cgroup', '-type', 'd', '-name', id])).stdout
      assert.equal(left, '')
    }
    // The only address of the network is free.
    assert.match(
      await inBusybox(ctrd(), 'ip -o -4 addr show eth0', ['--network', 'tiny']),
      /10\.79\.31\.2/,
    )
    assert.ok(!existsSync(`${ctrd().execRoot}/c/${id.slice(0, 24)}`))
    await ctrd().ok(['rm', 'cc'])
  } finally {
    await ctrd().ok(['network', 'rm', 'tiny'])
  }
})

test('what the engine says goes to its log, with --debug more, and never to a container', {
  skip,
}, async () => {
  const { stdout, stderr } = await ctrd().ctr(['run', '--rm', 'busybox', 'echo', 'hi'])
  assert.deepEqual([stdout, stderr], ['hi\n', ''])
  assert.match(ctrd().log, /"level":"debug"/)
  assert.doesNotMatch(ctrd().log, /^hi$/m)
})

test('inspect has every field that a flag has set', { skip }, async () => {
  const flags = [
    '--hostname',
    'hh',
    '-e',
    'A=1',
    '-u',
    '7:8',
    '-w',
    '/tmp',
    '-m',
    '64m',
    '--cpus',
    '0.5',
  ]
  const more = [
    '--cap-add',
    'SYS_TIME',
    '--read-only',
    '--pids-limit',
    '9',
    '--label',
    'l=1',
    '--stop-signal',
    'INT',
  ]
  await ctrd().ok(['create', '--name', 'cc', ...flags, ...more, 'busybox', 'true'])
  const template = `{{.Config.Hostname}} {{index .Config.Env 0}} {{.Config.User}} {{.Config.WorkingDir}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}
{{.HostConfig.CapAdd}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.PidsLimit}} {{.Config.Labels.l}} {{.Config.StopSignal}}`
  assert.equal(
    await field(ctrd(), 'cc', template),
    'hh A=1 7:8 /tmp 67108864 500000000\n[CAP_SYS_TIME] true 9 1 INT',
  )
})
