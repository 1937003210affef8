// needs root, overlay; runs on cgroup v1, v2 and hybrid
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  type CpuStats,
  cgroupPids,
  freezeCgroup,
  isCgroupFrozen,
  readCgroupStats,
  thawCgroup,
} from '@ctr/linux'
import { CAPABILITIES, defaultDeviceRules, defaultMounts, type RuntimeSpec } from '@ctr/oci'
import { compileStart, containerCgroup, initBinaryPath, ShimError } from '../src/index.ts'
import { type Change, type Outcome, PlanBench, Running } from './plan-bench.ts'

const needsRoot = process.getuid?.() === 0 ? false : 'needs root'

describe('compiled programs', { skip: needsRoot }, () => {
  let bench: PlanBench
  before(async () => {
    bench = await PlanBench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  const run = (script: string, change?: Change): Promise<Outcome> => bench.run(script, change)
  const lines = async (script: string, change?: Change): Promise<string[]> => {
    const outcome = await run(script, change)
    assert.equal(outcome.exit.exitCode, 0, outcome.stderr)
    return outcome.stdout.trimEnd().split('\n')
  }
  const withSpec = (spec: (spec: RuntimeSpec) => void): Change => ({ spec })

  test('the mount table is that of Docker', async () => {
    const mounts = await lines("awk '{print $2, $3, $4}' /proc/mounts")
    const has = (pattern: RegExp): void => {
      assert.ok(
        mounts.some((line) => pattern.test(line)),
        `${pattern} in\n${mounts.join('\n')}`,
      )
    }
    has(/^\/ overlay rw,/)
    has(/^\/proc proc rw,nosuid,nodev,noexec,/)
    has(/^\/dev tmpfs rw,nosuid,.*size=65536k,mode=755/)
    has(/^\/dev\/pts devpts rw,nosuid,noexec,.*gid=5,mode=620,ptmxmode=666/)
    has(/^\/dev\/shm tmpfs rw,nosuid,nodev,noexec,.*size=65536k/)
    has(/^\/dev\/mqueue mqueue rw,nosuid,nodev,noexec/)
    has(/^\/sys sysfs ro,nosuid,nodev,noexec/)
    has(/^\/sys\/fs\/cgroup (tmpfs|cgroup2) ro,/)
    assert.equal(mounts.filter((line) => line.startsWith('/ ')).length, 1)
  })

  test('nothing is left of the old root', async () => {
    assert.deepEqual(
      await lines('ls -a / | grep -c pivot; cat /proc/1/mountinfo | wc -l').then((l) => l[0]),
      '0',
    )
    assert.deepEqual(await lines('readlink /proc/1/root; readlink /proc/1/cwd'), ['/', '/'])
  })

  test('the host sees no mount of the container', async () => {
    // Other engines may be at work on this host.
    const foreign = /\/tmp\/|\/docker\/|\/containers\//
    const mounts = (): string[] =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(bench.dir) || !foreign.test(line))
    const before = mounts()
    await using running = await bench.start(['sleep', '60'])
    assert.deepEqual(mounts(), before)
    assert.notEqual(
      readlinkSync(`/proc/${running.connection.pid}/ns/mnt`),
      readlinkSync('/proc/self/ns/mnt'),
    )
  })

  test('/dev has exactly the nodes and links of Docker', async () => {
    const [core] = bench.host.hasKcore ? ['core'] : []
    const expected = `${core === undefined ? '' : 'core '}fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero`
    assert.equal((await lines('ls /dev | tr "\\n" " "'))[0]?.trim(), expected)
    assert.deepEqual(
      await lines('cd /dev; stat -c "%n %a %t:%T %u:%g" null zero full tty random urandom'),
      [
        'null 666 1:3 0:0',
        'zero 666 1:5 0:0',
        'full 666 1:7 0:0',
        'tty 666 5:0 0:0',
        'random 666 1:8 0:0',
        'urandom 666 1:9 0:0',
      ],
    )
    assert.deepEqual(
      await lines('for f in fd stdin stdout stderr ptmx; do readlink /dev/$f; done'),
      ['/proc/self/fd', '/proc/self/fd/0', '/proc/self/fd/1', '/proc/self/fd/2', 'pts/ptmx'],
    )
  })

  test('a terminal comes with /dev/console', async () => {
    const tty: Change = {
      input: (input) => ({
        ...input,
        stdio: { ...input.stdio, tty: true, rows: 33, columns: 91 },
      }),
    }
    const outcome = await run(
      'test -c /dev/console && stat -c %a /dev/console; tty; stty size',
      tty,
    )
    assert.equal(outcome.stdout.replaceAll('\r', ''), '620\n/dev/pts/0\n33 91\n')
  })

  test('without a terminal stdin is /dev/null of the container', async () => {
    assert.deepEqual(
      await lines('stat -L -c %t:%T /proc/1/fd/0; ls /proc/self/fd | tr "\\n" " "'),
      ['1:3', '0 1 2 3'],
    )
  })

  test('masked and read-only paths are', async () => {
    const outcome = await run(
      `cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l
       echo 1 >/proc/sys/kernel/panic; true >/proc/irq/default_smp_affinity; touch /sys/x
       for d in /sys/fs/cgroup /sys/fs/cgroup/memory; do test ! -d $d || mkdir $d/x; done`,
    )
    assert.equal(outcome.stdout, '0\n0\n')
    const denied = outcome.stderr.match(/Read-only file system/g)?.length
    assert.equal(denied, bench.host.cgroups.mode === 'v2' ? 4 : 5, outcome.stderr)
  })

  test('namespaces are its own', async () => {
    const kinds = ['mnt', 'uts', 'ipc', 'pid', 'net']
    const inside = await lines(
      `for n in ${kinds.join(' ')}; do readlink /proc/self/ns/$n; done; ps | wc -l; hostname`,
    )
    kinds.forEach((kind, index) => {
      assert.notEqual(inside[index], readlinkSync(`/proc/self/ns/${kind}`), kind)
    })
    assert.ok(Number(inside[kinds.length]) <= 4)
    assert.equal(inside.at(-1), 'plan')
  })

  test("namespaces that are not listed are the host's", async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.linux)
      spec.linux.namespaces = [{ type: 'mount' }]
      spec.hostname = undefined
    })
    const kinds = ['uts', 'ipc', 'pid', 'net', 'cgroup', 'user']
    const inside = await lines(
      `for n in ${kinds.join(' ')}; do readlink /proc/self/ns/$n; done`,
      change,
    )
    assert.deepEqual(
      inside,
      kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)),
    )
  })

  test("another container's namespaces are joined by path", async () => {
    await using first = await bench.start(['sleep', '60'])
    const { pid } = first.connection
    const change = withSpec((spec) => {
      assert.ok(spec.linux)
      spec.hostname = undefined
      spec.linux.namespaces = [
        { type: 'mount' },
        { type: 'pid', path: `/proc/${pid}/ns/pid` },
        { type: 'ipc', path: `/proc/${pid}/ns/ipc` },
        { type: 'network', path: `/proc/${pid}/ns/net` },
        { type: 'uts', path: `/proc/${pid}/ns/uts` },
      ]
    })
    const inside = await lines(
      'for n in pid ipc net uts; do readlink /proc/self/ns/$n; done; ps | grep -c "slee[p]"',
      change,
    )
    assert.deepEqual(inside, [
      ...['pid', 'ipc', 'net', 'uts'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)),
      '1',
    ])
  })

  test('a cgroup namespace shows every cgroup as the root', async () => {
    const change = withSpec((spec) => spec.linux?.namespaces?.push({ type: 'cgroup' }))
    const cgroups = await lines(
      'cut -d: -f3 /proc/self/cgroup | sort -u; cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max',
      change,
    )
    assert.deepEqual(cgroups, ['/', 'max'])
  })

  test('the process has the default capabilities and a seccomp filter, and no more', async () => {
    assert.deepEqual(await lines("grep -E 'Cap|NoNew|Seccomp:' /proc/1/status | tr -d '\\t'"), [
      'CapInh:0000000000000000',
      'CapPrm:00000000a80425fb',
      'CapEff:00000000a80425fb',
      'CapBnd:00000000a80425fb',
      'CapAmb:0000000000000000',
      'NoNewPrivs:0',
      'Seccomp:2',
    ])
    const denied = await run('unshare -U true; mount -t tmpfs x /tmp; hostname x')
    assert.equal(
      denied.stderr.match(/[Oo]peration not permitted|[Pp]ermission denied/g)?.length,
      3,
      denied.stderr,
    )
  })

  test('another user has no effective capabilities, its groups, and its stdio', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.process)
      spec.process.user = { uid: 1000, gid: 1001, additionalGids: [1001, 4242] }
    })
    const status = await lines(
      "grep -E 'CapEff|CapPrm|CapBnd' /proc/self/status | tr -d '\\t'; id -u; id -g; id -G; echo hi >/dev/stdout; echo >/dev/null",
      change,
    )
    assert.deepEqual(status, [
      'CapPrm:0000000000000000',
      'CapEff:0000000000000000',
      'CapBnd:00000000a80425fb',
      '1000',
      '1001',
      '1001 4242',
      'hi',
    ])
  })

  test('no_new_privs with a filter that forbids the setup itself', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.process && spec.linux)
      spec.process.noNewPrivileges = true
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {
            names: ['capset', 'setresuid', 'setgroups', 'chdir', 'chown'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 13,
          },
        ],
      }
    })
    const outcome = await run(
      "grep -E 'NoNew|Seccomp:' /proc/1/status | tr -d '\\t'; chown 1 /tmp",
      change,
    )
    assert.equal(outcome.stdout, 'NoNewPrivs:1\nSeccomp:2\n')
    assert.match(outcome.stderr, /Permission denied/)
  })

  test('a privileged container has everything', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.process && spec.linux)
      const all = [...CAPABILITIES]
      spec.process.capabilities = { bounding: all, effective: all, permitted: all }
      spec.mounts = defaultMounts({ isPrivileged: true })
      spec.linux.seccomp = undefined
      spec.linux.maskedPaths = []
      spec.linux.readonlyPaths = []
      spec.linux.resources = { devices: defaultDeviceRules({ isPrivileged: true }) }
    })
    const full = readFileSync('/proc/self/status', 'utf8').match(/CapBnd:\t(\w+)/)?.[1]
    const seen = await lines(
      `grep CapEff /proc/1/status | cut -f2; grep Seccomp: /proc/1/status | cut -f2; grep -c . /proc/timer_list
       mount -t tmpfs x /tmp && echo mounted; cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; mkdir sub && rmdir sub && echo made`,
      change,
    )
    assert.equal(seen[0], full)
    assert.equal(seen[1], '0')
    assert.ok(Number(seen[2]) > 0)
    assert.deepEqual(seen.slice(3), ['mounted', 'made'])
  })

  test('devices are made but opened only as allowed', async () => {
    const outcome = await run(
      'mknod /tmp/sda b 8 0 && echo made; dd if=/tmp/sda of=/dev/null count=1',
    )
    assert.equal(outcome.stdout, 'made\n')
    assert.match(outcome.stderr, /Operation not permitted/)
    const device = (access: string): Change =>
      withSpec((spec) => {
        assert.ok(spec.linux)
        const numbers = { type: 'c', major: 1, minor: 11 } as const
        spec.linux.devices = [{ ...numbers, path: '/dev/foo', fileMode: 0o640 }]
        spec.linux.resources = {
          devices: defaultDeviceRules({ extra: [{ ...numbers, allow: true, access }] }),
        }
      })
    const script = 'stat -c "%a %t:%T" /dev/foo; true >/dev/foo && echo writable'
    assert.equal((await run(script, device('w'))).stdout, '640 1:b\nwritable\n')
    assert.equal((await run(script, device('r'))).stdout, '640 1:b\n')
  })

  test('the umask is 022 whatever ours is', async () => {
    const mask = process.umask(0o077)
    try {
      assert.deepEqual(await lines('umask; stat -c %a /dev/null; touch /f; stat -c %a /f'), [
        '0022',
        '666',
        '644',
      ])
    } finally {
      process.umask(mask)
    }
  })

  test('a read-only root keeps its mounts writable', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.root && spec.process)
      spec.root.readonly = true
      spec.process.cwd = '/made/for/it'
      spec.mounts?.push({
        destination: '/tmp',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['size=1m', 'mode=1777'],
      })
    })
    const outcome = await run(
      'touch /x; touch /tmp/x && pwd; stat -c %a /tmp; df -k /tmp | awk "END{print \\$2}"',
      change,
    )
    assert.match(outcome.stderr, /Read-only file system/)
    assert.equal(outcome.stdout, '/made/for/it\n1777\n1024\n')
  })

  test('a tmpfs keeps the mode of the directory that it covers', async () => {
    const tmpfs = (destination: string, ...options: string[]) => ({
      destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options,
    })
    const change = withSpec((spec) => {
      spec.mounts?.push(tmpfs('/etc'), tmpfs('/tmp', 'size=1m', 'mode=700'), tmpfs('/new'))
    })
    assert.deepEqual(await lines('stat -c %a /etc /tmp /new', change), ['755', '700', '1777'])
  })

  test('binds are made with what is missing, read-only as asked, and stay inside', async () => {
    const source = join(bench.dir, 'source')
    mkdirSync(source, { recursive: true })
    writeFileSync(join(source, 'file'), 'text')
    const bind = (destination: string, from: string, ...options: string[]) => ({
      destination,
      type: 'bind',
      source: from,
      options: ['rbind', 'rprivate', ...options],
    })
    const change = withSpec((spec) => {
      spec.mounts?.push(
        bind('/x/y/z', source),
        bind('/ro', source, 'ro'),
        bind('/etc/some/file', join(source, 'file'), 'ro'),
        bind('/escape/evil', source),
      )
    })
    const outcome = await run(
      'cat /x/y/z/file /etc/some/file; echo new >/x/y/z/new && cat /ro/new; echo x >/ro/x; echo x >/etc/some/file',
      change,
    )
    assert.equal(outcome.stdout, 'texttextnew\n')
    assert.equal(outcome.stderr.match(/Read-only file system/g)?.length, 2)
  })

  test('rro makes the whole tree read-only, ro only its top', async () => {
    const source = join(bench.dir, 'tree')
    mkdirSync(join(source, 'sub'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'sub')])
    try {
      const change = withSpec((spec) => {
        spec.mounts?.push(
          { destination: '/ro', type: 'bind', source, options: ['rbind', 'ro'] },
          { destination: '/rro', type: 'bind', source, options: ['rbind', 'rro'] },
        )
      })
      const outcome = await run('for d in ro rro; do touch /$d/sub/x && echo $d; done', change)
      assert.equal(outcome.stdout, 'ro\n')
    } finally {
      execFileSync('umount', [join(source, 'sub')])
    }
  })

  test('mounts spread as asked: slave from the host, shared to the host, private neither', async () => {
    const source = join(bench.dir, 'spread')
    mkdirSync(source, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', source])
    try {
      execFileSync('mount', ['--make-shared', source])
      for (const name of ['late', 'inner']) mkdirSync(join(source, name))
      const start = (option: string) =>
        bench.start(
          [
            'sh',
            '-c',
            'mount -t tmpfs x /s/inner; touch /s/inner/made; while ! test -e /s/go; do sleep 0.1; done; test -e /s/late/f && echo seen',
          ],
          {
            spec: (spec) => {
              assert.ok(spec.process && spec.linux)
              const caps = ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE']
              spec.process.capabilities = { bounding: caps, effective: caps, permitted: caps }
              spec.linux.seccomp = undefined
              spec.mounts?.push({
                destination: '/s',
                type: 'bind',
                source,
                options: ['rbind', option],
              })
            },
          },
        )
      const results: Record<string, string> = {}
      for (const option of ['rprivate', 'rslave', 'rshared']) {
        await using running = await start(option)
        await until(() =>
          readFileSync(`/proc/${running.connection.pid}/mountinfo`, 'utf8').includes(' /s/inner '),
        )
        const isOnHost = readFileSync('/proc/self/mountinfo', 'utf8').includes(`${source}/inner `)
        execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'late')])
        writeFileSync(join(source, 'late/f'), '')
        writeFileSync(join(source, 'go'), '')
        const { stdout } = await running.outcome()
        results[option] =
          `${stdout.trim() || 'unseen'}, ${isOnHost ? 'on the host' : 'inside only'}`
        execFileSync('umount', [join(source, 'late')])
        if (isOnHost) execFileSync('umount', [join(source, 'inner')])
        execFileSync('rm', [join(source, 'go')])
        const own = readFileSync('/proc/self/mountinfo', 'utf8')
          .split('\n')
          .filter((line) => line.includes(bench.dir))
        assert.equal(own.length, 1, own.join('\n'))
      }
      assert.deepEqual(results, {
        rprivate: 'unseen, inside only',
        rslave: 'seen, inside only',
        rshared: 'seen, on the host',
      })
    } finally {
      execFileSync('umount', [source])
    }
  })

  test('sysctls, rlimits and the OOM score are set', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.process && spec.linux)
      spec.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.shmmni': '1234' }
      spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1025 }]
      spec.process.oomScoreAdj = 500
    })
    assert.deepEqual(
      await lines(
        'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /proc/self/oom_score_adj; ulimit -n; ulimit -Hn',
        change,
      ),
      ['1', '1234', '500', '1024', '1025'],
    )
  })

  test('what we may not set is a warning', async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.process)
      spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: -1, hard: -1 }]
      spec.process.oomScoreAdj = -999
    })
    const outcome = await run('echo runs', change)
    assert.equal(outcome.stdout, 'runs\n')
    assert.match(outcome.warnings.join('\n'), /rlimit.*EPERM/)
  })

  test('--init is PID 1 and passes the exit code on', async () => {
    const change: Change = { input: (input) => ({ ...input, initBinary: initBinaryPath }) }
    const outcome = await run('cat /proc/1/cmdline | tr "\\0" " "; exit 7', change)
    assert.match(outcome.stdout, /^\/sbin\/docker-init -- sh -c/)
    assert.equal(outcome.exit.exitCode, 7)
  })

  const limited = (resources: NonNullable<RuntimeSpec['linux']>['resources']): Change =>
    withSpec((spec) => {
      assert.ok(spec.linux)
      spec.linux.resources = { ...spec.linux.resources, ...resources }
    })
  const MiB = 1024 * 1024

  test('a process that needs too much memory is killed, and it is reported', async () => {
    const outcome = await run(
      'x=a; while :; do x=$x$x; done',
      limited({ memory: { limit: 10 * MiB, swap: 10 * MiB } }),
    )
    assert.deepEqual(
      [outcome.exit.exitCode, outcome.exit.signal, outcome.exit.oomKilled],
      [137, 9, true],
    )
  })

  test('a child that is killed leaves PID 1 alive', async () => {
    const outcome = await run(
      'sh -c "x=a; while :; do x=\\$x\\$x; done"; echo rc=$?',
      limited({ memory: { limit: 10 * MiB, swap: 10 * MiB } }),
    )
    assert.equal(outcome.stdout, 'rc=137\n')
    assert.equal(outcome.exit.exitCode, 0)
  })

  test('processes are limited in number', async () => {
    const outcome = await run(
      'for i in 1 2 3 4 5 6 7 8; do sleep 3 & done',
      limited({ pids: { limit: 5 } }),
    )
    assert.match(outcome.stderr, /can't fork/)
  })

  test('cpu time is limited to the quota', async () => {
    const period = 100_000
    /** CPU time in quotas, per period. Small quotas, because a busy machine has to be able to give them. */
    const shareOf = async (quota: number): Promise<number> => {
      const change = limited({ cpu: { quota, period } })
      await using running = await bench.start(['sh', '-c', 'while :; do :; done'], change)
      const { cgroups } = bench.host
      const path = containerCgroup(running.input)
      const read = (): CpuStats => readCgroupStats(cgroups, path).cpu
      await until(() => read().throttledPeriods >= 1, 30_000)
      const before = read()
      await until(() => read().periods >= before.periods + 20, 30_000)
      const after = read()
      assert.ok(after.throttledNs > before.throttledNs)
      const usedUs = (after.totalNs - before.totalNs) / 1000
      return usedUs / quota / (after.periods - before.periods)
    }
    for (const quota of [10_000, 5_000]) {
      const share = await shareOf(quota)
      // The kernel takes what was used too much in one period (up to a tick of 10 ms) from the next ones.
      const tolerance = 10_000 / quota / 20 + 0.1
      assert.ok(share > 0.5 && share < 1 + tolerance, `${share} of a quota of ${quota}`)
    }
  })

  test('cpus are chosen and memory nodes inherited', async () => {
    assert.deepEqual(await lines('nproc', limited({ cpu: { cpus: '0' } })), ['1'])
    await assert.rejects(run('true', limited({ cpu: { cpus: '999' } })), (error) => {
      assert.ok(error instanceof ShimError)
      return (error.op === 'write' && error.code === 'ERANGE') || error.code === 'EINVAL'
    })
  })

  test('a frozen container stands still and its counters can be read', async () => {
    await using running = await bench.start(['sh', '-c', 'while :; do :; done'])
    const path = containerCgroup(running.input)
    const { cgroups } = bench.host
    assert.deepEqual(cgroupPids(cgroups, path), [running.connection.pid])
    await until(() => readCgroupStats(cgroups, path).cpu.totalNs > 0)
    await freezeCgroup(cgroups, path)
    assert.ok(isCgroupFrozen(cgroups, path))
    const frozen = readCgroupStats(cgroups, path)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(readCgroupStats(cgroups, path).cpu.totalNs, frozen.cpu.totalNs)
    thawCgroup(cgroups, path)
    await until(() => readCgroupStats(cgroups, path).cpu.totalNs > frozen.cpu.totalNs)
    assert.ok(frozen.memory.usageBytes > 0)
    assert.equal(frozen.pids.current, 1)
  })

  test('exec enters namespaces, cgroup, limits and filter of the container', async () => {
    await using running = await bench.start(['sleep', '60'])
    const out = join(bench.dir, 'c', running.input.containerId.slice(0, 24), 'upper/out')
    const script = `for n in mnt uts ipc pid net; do readlink /proc/self/ns/$n; done >/out
      grep -E 'CapEff|CapBnd|Seccomp:' /proc/self/status | tr -d '\\t' >>/out; umask >>/out; pwd >>/out; cat /proc/self/cgroup >>/out; exit 9`
    const exit = await running.exec(['sh', '-c', script], { cwd: '/etc' })
    assert.equal(exit.exitCode, 9)
    const seen = readFileSync(out, 'utf8').trimEnd().split('\n')
    const { pid } = running.connection
    assert.deepEqual(seen.slice(0, 10), [
      ...['mnt', 'uts', 'ipc', 'pid', 'net'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)),
      'CapEff:00000000a80425fb',
      'CapBnd:00000000a80425fb',
      'Seccomp:2',
      '0022',
      '/etc',
    ])
    assert.equal(seen.slice(10).join('\n'), readFileSync(`/proc/${pid}/cgroup`, 'utf8').trimEnd())
  })

  test('a command that is not there or cannot be run is said by the exec operation', async () => {
    const failure = async (args: string[]): Promise<string> => {
      try {
        await using _ = await bench.start(args)
      } catch (error) {
        assert.ok(error instanceof ShimError)
        return `${error.op} ${error.code}`
      }
      return 'ran'
    }
    assert.equal(await failure(['nosuchcmd']), 'exec ENOENT')
    assert.equal(await failure(['/etc/passwd']), 'exec EACCES')
    assert.equal(await failure(['/etc']), 'exec EISDIR')
  })

  test('a ramfs host cannot pivot: the root is moved', async () => {
    const input = await bench.input([
      'sh',
      '-c',
      'ls / | tr "\\n" " "; cd ..; pwd; ls /proc/1/root/tmp',
    ])
    const host = { ...bench.host, rootIsRamfs: true }
    await using running = new Running(
      bench,
      input,
      await bench.spawner.run(compileStart(input, host)),
    )
    assert.equal((await running.outcome()).stdout, 'bin dev etc proc root sys tmp /\n')
  })

  test('a failed start leaves no cgroup', async () => {
    const input = await bench.input(['nosuchcmd'])
    await assert.rejects(bench.spawner.run(compileStart(input, bench.host)))
    await until(() =>
      bench.host.cgroups.hierarchies.every((one) => {
        const text = execFileSync('ls', [`${one.mountpoint}${bench.cgroupParent}`], {
          encoding: 'utf8',
        })
        return !text.includes(input.containerId)
      }),
    )
  })

  test("with the host's pid namespace nothing survives the container", async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.linux)
      spec.linux.namespaces = spec.linux.namespaces?.filter((one) => one.type !== 'pid')
    })
    const { stdout } = await run('sleep 61.25 & echo $!', change)
    await until(() => {
      try {
        process.kill(Number(stdout), 0)
        return false
      } catch {
        return true
      }
    })
  })

  test('argument bytes arrive as they are', async () => {
    const args = ['a b', '', '$HOME;|&<>*', 'l1\nl2', '日本語', '"q"', 'x'.repeat(100_000)]
    await using running = await bench.start(['printf', '[%s]\n', ...args])
    assert.equal((await running.outcome()).stdout, args.map((arg) => `[${arg}]\n`).join(''))
  })
})

async function until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !condition(); ) {
    assert.ok(Date.now() < deadline, 'condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
