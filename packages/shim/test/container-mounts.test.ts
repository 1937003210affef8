// needs root, overlay; runs on cgroup v1, v2 and hybrid
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { RuntimeSpec } from '@ctr/oci'
import { compileStart } from '../src/index.ts'
import { type Change, PlanBench, Running } from './plan-bench.ts'
import { until } from './until.ts'

const needsRoot = process.getuid?.() === 0 ? false : 'needs root'

describe('the mounts of a container', { skip: needsRoot }, () => {
  let bench: PlanBench
  before(async () => {
    bench = await PlanBench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  const withSpec = (spec: (spec: RuntimeSpec) => void): Change => ({ spec })

  test('the mount table is that of Docker', async () => {
    const mounts = await bench.lines("awk '{print $2, $3, $4}' /proc/mounts")
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
      await bench.lines('ls -a / | grep -c pivot; cat /proc/1/mountinfo | wc -l').then((l) => l[0]),
      '0',
    )
    assert.deepEqual(await bench.lines('readlink /proc/1/root; readlink /proc/1/cwd'), ['/', '/'])
  })

  test('the host sees no mount of the container', async () => {
    // Other engines may be at work on this host.
    const foreign = /\/tmp\/|\/docker\/|\/containers\//
    const mounts = (): string[] =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(bench.dir) || !foreign.test(line))
    const before = mounts()
    await using running = await bench.start(['sleep', '1000'])
    assert.deepEqual(mounts(), before)
    assert.notEqual(
      readlinkSync(`/proc/${running.connection.pid}/ns/mnt`),
      readlinkSync('/proc/self/ns/mnt'),
    )
  })

  test('/dev has exactly the nodes and links of Docker', async () => {
    const [core] = bench.host.hasKcore ? ['core'] : []
    const expected = `${core === undefined ? '' : 'core '}fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero`
    assert.equal((await bench.lines('ls /dev | tr "\\n" " "'))[0]?.trim(), expected)
    assert.deepEqual(
      await bench.lines('cd /dev; stat -c "%n %a %t:%T %u:%g" null zero full tty random urandom'),
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
      await bench.lines('for f in fd stdin stdout stderr ptmx; do readlink /dev/$f; done'),
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
    const outcome = await bench.run(
      'test -c /dev/console && stat -c %a /dev/console; tty; stty size',
      tty,
    )
    assert.equal(outcome.stdout.replaceAll('\r', ''), '620\n/dev/pts/0\n33 91\n')
  })

  test('without a terminal stdin is /dev/null of the container', async () => {
    assert.deepEqual(
      await bench.lines('stat -L -c %t:%T /proc/1/fd/0; ls /proc/self/fd | tr "\\n" " "'),
      ['1:3', '0 1 2 3'],
    )
  })

  test('masked and read-only paths are', async () => {
    const outcome = await bench.run(
      `cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l
       echo 1 >/proc/sys/kernel/panic; true >/proc/irq/default_smp_affinity; touch /sys/x
       for d in /sys/fs/cgroup /sys/fs/cgroup/memory; do test ! -d $d || mkdir $d/x; done`,
    )
    assert.equal(outcome.stdout, '0\n0\n')
    const denied = outcome.stderr.match(/Read-only file system/g)?.length
    assert.equal(denied, bench.host.cgroups.mode === 'v2' ? 4 : 5, outcome.stderr)
  })

  test("files are masked by the host's /dev/null where /dev is somebody's directory", async () => {
    const dev = join(bench.dir, 'foreign-dev')
    mkdirSync(dev)
    const run = async (): Promise<readonly string[]> =>
      await bench.lines(
        `cat /proc/keys /proc/timer_list | wc -c; stat -c %t:%T /proc/keys; ls /dev | tr "\\n" " "; echo
         chmod 600 /proc/keys 2>&1 | grep -c Read-only; echo x >/proc/keys && ls /sys/firmware | wc -l`,
        withSpec((spec) => {
          spec.mounts = spec.mounts?.filter(({ destination }) => !destination.startsWith('/dev'))
          const options = ['rbind']
          spec.mounts?.push({ destination: '/dev', type: 'bind', source: dev, options })
        }),
      )
    const mode = statSync('/dev/null').mode
    assert.deepEqual(await run(), ['0', '1:3', '', '1', '0'])
    // CVE-2025-31133: what is there may lead to what is to be hidden, or to what nobody may write to.
    symlinkSync('/proc/sys/kernel/domainname', join(dev, 'null'))
    assert.deepEqual(await run(), ['0', '1:3', 'null ', '1', '0'])
    rmSync(join(dev, 'null'))
    writeFileSync(join(dev, 'null'), 'of somebody')
    assert.deepEqual(await run(), ['0', '1:3', 'null ', '1', '0'])
    assert.equal(readFileSync(join(dev, 'null'), 'utf8'), 'of somebody')
    assert.equal(statSync('/dev/null').mode, mode)
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
    const outcome = await bench.run(
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
    assert.deepEqual(await bench.lines('stat -c %a /etc /tmp /new', change), ['755', '700', '1777'])
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
    const outcome = await bench.run(
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
      const outcome = await bench.run(
        'for d in ro rro; do touch /$d/sub/x && echo $d; done',
        change,
      )
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
})
