// needs root, overlay; runs on cgroup v1, v2 and hybrid
import assert from 'node:assert/strict'
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CAPABILITIES, defaultDeviceRules, defaultMounts, type RuntimeSpec } from '@ctr/oci'
import { initBinaryPath, ShimError } from '../src/index.ts'
import { type Change, PlanBench } from './plan-bench.ts'
import { until } from './until.ts'

const needsRoot = process.getuid?.() === 0 ? false : 'needs root'

describe('the process of a container', { skip: needsRoot }, () => {
  let bench: PlanBench
  before(async () => {
    bench = await PlanBench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  const withSpec = (spec: (spec: RuntimeSpec) => void): Change => ({ spec })

  test('namespaces are its own', async () => {
    const kinds = ['mnt', 'uts', 'ipc', 'pid', 'net']
    const inside = await bench.lines(
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
    const inside = await bench.lines(
      `for n in ${kinds.join(' ')}; do readlink /proc/self/ns/$n; done`,
      change,
    )
    assert.deepEqual(
      inside,
      kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)),
    )
  })

  test("another container's namespaces are joined by path", async () => {
    await using first = await bench.start(['sleep', '1000'])
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
    const inside = await bench.lines(
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
    const cgroups = await bench.lines(
      'cut -d: -f3 /proc/self/cgroup | sort -u; cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max',
      change,
    )
    assert.deepEqual(cgroups, ['/', 'max'])
  })

  test('the process has the default capabilities and a seccomp filter, and no more', async () => {
    assert.deepEqual(
      await bench.lines("grep -E 'Cap|NoNew|Seccomp:' /proc/1/status | tr -d '\\t'"),
      [
        'CapInh:0000000000000000',
        'CapPrm:00000000a80425fb',
        'CapEff:00000000a80425fb',
        'CapBnd:00000000a80425fb',
        'CapAmb:0000000000000000',
        'NoNewPrivs:0',
        'Seccomp:2',
      ],
    )
    const denied = await bench.run('unshare -U true; mount -t tmpfs x /tmp; hostname x')
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
    const status = await bench.lines(
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
    const outcome = await bench.run(
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
    const seen = await bench.lines(
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
    const outcome = await bench.run(
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
    assert.equal((await bench.run(script, device('w'))).stdout, '640 1:b\nwritable\n')
    assert.equal((await bench.run(script, device('r'))).stdout, '640 1:b\n')
  })

  test('the umask is 022 whatever ours is', async () => {
    const mask = process.umask(0o077)
    try {
      assert.deepEqual(await bench.lines('umask; stat -c %a /dev/null; touch /f; stat -c %a /f'), [
        '0022',
        '666',
        '644',
      ])
    } finally {
      process.umask(mask)
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
      await bench.lines(
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
    const outcome = await bench.run('echo runs', change)
    assert.equal(outcome.stdout, 'runs\n')
    assert.match(outcome.warnings.join('\n'), /rlimit.*EPERM/)
  })

  test('--init is PID 1 and passes the exit code on', async () => {
    const change: Change = { input: (input) => ({ ...input, initBinary: initBinaryPath }) }
    const outcome = await bench.run('cat /proc/1/cmdline | tr "\\0" " "; exit 7', change)
    assert.match(outcome.stdout, /^\/sbin\/docker-init -- sh -c/)
    assert.equal(outcome.exit.exitCode, 7)
  })

  test('exec enters namespaces, cgroup, limits and filter of the container', async () => {
    await using running = await bench.start(['sleep', '1000'])
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

  test("with the host's pid namespace nothing survives the container", async () => {
    const change = withSpec((spec) => {
      assert.ok(spec.linux)
      spec.linux.namespaces = spec.linux.namespaces?.filter((one) => one.type !== 'pid')
    })
    const { stdout } = await bench.run('sleep 61.25 & echo $!', change)
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
