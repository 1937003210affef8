import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connectShim, initBinaryPath, type ShimConnection } from '../src/index.ts'
import type { Op } from '../src/ops.ts'
import {
  Bench,
  type MinimalOptions,
  minimalProgram,
  NAMESPACES,
  parseLog,
} from './minimal-program.ts'
import { until } from './until.ts'

const CLONE_NEWNS = 0x00020000n
const CLONE_NEWUSER = 0x10000000n
const CLONE_NEWPID = 0x20000000n

/** Requires root: namespaces, mounts; v1 cgroup hierarchies memory and pids for the cgroup tests. */
describe('the process', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  async function start(
    args: readonly string[],
    more: Partial<MinimalOptions> = {},
  ): Promise<{ connection: ShimConnection; out: () => Promise<string>; runtimeDir: string }> {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args, log: { path }, ...more }),
    )
    const out = async (): Promise<string> => {
      await connection.exited
      return parseLog(await readFile(path, 'utf8'))
        .map((record) => record.log)
        .join('')
    }
    return { connection, out, runtimeDir }
  }

  async function output(
    script: string,
    processOps: readonly Op[],
    more: Partial<MinimalOptions> = {},
  ): Promise<string> {
    return (await start(['sh', '-c', script], { processOps, ...more })).out()
  }

  const capLine = (name: string) => `grep ${name}: /proc/self/status`

  it('gets user, groups and exactly the capabilities given', async () => {
    const user: Op = {
      op: 'user',
      uid: 1000,
      gid: 1001,
      groups: new Uint8Array(Uint32Array.of(5, 6).buffer),
    }
    const caps: Op = {
      op: 'capabilities',
      effective: 0x21n,
      permitted: 0x21n,
      inheritable: 0x20n,
      ambient: 0x20n,
    }
    const out = await output(
      'id -u; id -g; id -G; grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status',
      [{ op: 'bounding', mask: 0x21n }, user, caps],
    )
    assert.equal(
      out,
      '1000\n1001\n1001 5 6\n' +
        'CapInh:\t0000000000000020\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\n' +
        'CapBnd:\t0000000000000021\nCapAmb:\t0000000000000020\n',
    )
  })

  it('keeps only what is given as root, and cannot get it back', async () => {
    const caps: Op = {
      op: 'capabilities',
      effective: 1n,
      permitted: 1n,
      inheritable: 0n,
      ambient: 0n,
    }
    const out = await output(`${capLine('CapEff')}; hostname x 2>&1`, [
      { op: 'bounding', mask: 1n },
      caps,
    ])
    assert.match(out, /CapEff:\t0000000000000001\n/)
    assert.match(out, /not permitted/)
  })

  it('runs under rlimits, no_new_privs, oom_score_adj and a seccomp filter', async () => {
    // Everything allowed but kill(2), which fails with EPERM.
    const instructions: [number, number, number, number][] = [
      [0x20, 0, 0, 0],
      [0x15, 0, 1, process.arch === 'x64' ? 62 : 129],
      [0x06, 0, 0, 0x00050001],
      [0x06, 0, 0, 0x7fff0000],
    ]
    const filter = Buffer.concat(
      instructions.map(([code, jt, jf, k]) => {
        const b = Buffer.alloc(8)
        b.writeUInt16LE(code, 0)
        b.writeUInt8(jt, 2)
        b.writeUInt8(jf, 3)
        b.writeUInt32LE(k, 4)
        return b
      }),
    )
    const out = await output(
      'ulimit -n; grep -E "NoNewPrivs|Seccomp:" /proc/self/status; cat /proc/self/oom_score_adj; kill -0 $$ 2>&1',
      [
        { op: 'rlimit', resource: 7, soft: 123n, hard: 456n },
        { op: 'oom_score_adj', value: '321' },
        { op: 'no_new_privs' },
        { op: 'seccomp', filter, flags: 0 },
      ],
    )
    assert.equal(
      out,
      "123\nNoNewPrivs:\t1\nSeccomp:\t2\n321\nsh: can't kill pid 1: Operation not permitted\n",
    )
  })

  it('reports a command that is not found also when a filter comes first', async () => {
    const filter = Buffer.from('0600000000007fff'.replace('00007fff', '0000ff7f'), 'hex')
    await assert.rejects(
      start(['nosuch'], {
        processOps: [{ op: 'no_new_privs' }, { op: 'seccomp', filter, flags: 0 }],
      }),
      {
        op: 'exec',
        code: 'ENOENT',
        detail: 'PATH',
      },
    )
  })

  it('is root of a user namespace of its own when ids are mapped', async () => {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const program = minimalProgram(bench, {
      runtimeDir,
      log: { path },
      namespaces: NAMESPACES | CLONE_NEWUSER,
      afterClone: [
        { op: 'id_map', uid_map: '0 100000 1000\n', gid_map: '0 100000 1000\n', setgroups: 'deny' },
      ],
      args: ['sh', '-c', 'id -u; cat /proc/self/uid_map; (touch /etc/x) 2>&1'],
    }).map((op): Op => {
      // A user namespace may not make devices, and its devpts cannot have the group 5 of the host's.
      if (op.op === 'mknod')
        return {
          op: 'bind',
          source: op.path,
          target: op.path,
          flags: 0,
          attr: 0n,
          clear: 0n,
          propagation: 0n,
        }
      if (op.op === 'mount' && op.type === 'devpts')
        return { ...op, data: 'newinstance,ptmxmode=0666,mode=0620' }
      return op
    })
    const connection = await bench.spawner.run(program)
    await connection.exited
    const text = parseLog(await readFile(path, 'utf8'))
      .map((record) => record.log)
      .join('')
    assert.match(text, /^0\n +0 +100000 +1000\ntouch: \/etc\/x: Permission denied\n$/)
  })

  it('lets an exec join every namespace and the root, as a process of its own', async () => {
    const container = await start(['sleep', '100'])
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const exec = await bench.spawner.run([
      { op: 'runtime_dir', path: runtimeDir },
      { op: 'log_json', path, max_bytes: 0n, max_files: 1, flags: 0, extra: '' },
      { op: 'stdio', flags: 0, uid: 0, gid: 0, rows: 0, columns: 0 },
      { op: 'join', pid: container.connection.pid, start_time: container.connection.startTime },
      { op: 'clone', flags: 0n, cgroup: '' },
      { op: 'enter', flags: NAMESPACES & ~CLONE_NEWPID },
      { op: 'setsid' },
      { op: 'chdir', path: '/' },
      {
        op: 'exec',
        args: [
          'sh',
          '-c',
          'hostname; for n in mnt uts ipc net pid; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done; ls /; exit 5',
        ],
        env: ['PATH=/bin'],
      },
    ])
    assert.equal((await exec.exited).exitCode, 5)
    const lines = parseLog(await readFile(path, 'utf8')).map((record) => record.log.trim())
    assert.equal(lines.shift(), 'bench')
    for (let i = 0; i < 5; i++) assert.equal(lines.shift(), lines.shift())
    assert.ok(lines.includes('bin'))
    await container.connection.signal(9)
    await container.connection.exited
  })

  it('gives an exec a terminal in the container, and ends it with the container', async () => {
    const container = await start(['sleep', '100'])
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const exec = await bench.spawner.run([
      { op: 'runtime_dir', path: runtimeDir },
      { op: 'log_json', path, max_bytes: 0n, max_files: 1, flags: 0, extra: '' },
      { op: 'stdio', flags: 3, uid: 0, gid: 0, rows: 12, columns: 34 },
      { op: 'join', pid: container.connection.pid, start_time: container.connection.startTime },
      { op: 'clone', flags: 0n, cgroup: '' },
      { op: 'enter', flags: NAMESPACES & ~CLONE_NEWPID },
      { op: 'console' },
      { op: 'setsid' },
      { op: 'exec', args: ['sh', '-c', 'tty; stty size; sleep 100'], env: ['PATH=/bin'] },
    ])
    await until(async () => (await readFile(path, 'utf8')).includes('12 34'))
    assert.match(await readFile(path, 'utf8'), /\/dev\/pts\/0/)
    await container.connection.signal(9)
    assert.equal((await exec.exited).exitCode, 137)
    await container.connection.exited
  })

  it('refuses to join a process that is another by now', async () => {
    const runtimeDir = await bench.runtimeDir()
    const program = (pid: number, startTime: bigint): Op[] => [
      { op: 'runtime_dir', path: runtimeDir },
      { op: 'join', pid, start_time: startTime },
      { op: 'clone', flags: 0n, cgroup: '' },
      { op: 'exec', args: ['true'], env: [] },
    ]
    await assert.rejects(bench.spawner.run(program(process.pid, 1n)), {
      op: 'join',
      code: 'ESRCH',
      detail: 'start time',
    })
    await assert.rejects(bench.spawner.run(program(4_000_000, 0n)), { op: 'join', code: 'ESRCH' })
  })

  it('is in its cgroups before it runs; they are emptied and removed at the end', async () => {
    const cgroups = ['pids', 'memory', 'freezer'].map(
      (name) => `/sys/fs/cgroup/${name}/ctr-shim-test-${process.pid}/c`,
    )
    const { connection, out } = await start(
      ['sh', '-c', 'grep -E "pids|memory|freezer" /proc/self/cgroup; setsid sleep 100 & echo left'],
      {
        // The host's pid namespace: what the process leaves behind must be found by cgroup.
        namespaces: CLONE_NEWNS,
        hostOps: cgroups.map((path): Op => ({ op: 'cgroup', path })),
        afterClone: cgroups.map((path): Op => ({ op: 'write_pid', path: `${path}/cgroup.procs` })),
      },
    )
    const text = await out()
    assert.equal((await connection.exited).exitCode, 0)
    assert.equal(text.match(new RegExp(`ctr-shim-test-${process.pid}/c`, 'g'))?.length, 3)
    for (const path of cgroups) assert.equal(existsSync(path), false)
    const { rmdir } = await import('node:fs/promises')
    for (const path of cgroups) await rmdir(join(path, '..'))
  })

  it('never takes a cgroup that holds the shim or init for its own', async () => {
    await assert.rejects(
      start(['true'], { hostOps: [{ op: 'cgroup', path: '/sys/fs/cgroup/pids' }] }),
      { op: 'cgroup', code: 'EBUSY' },
    )
    assert.ok(existsSync('/proc/1'))
  })

  it('reports an OOM kill, of a child too', async () => {
    const path = `/sys/fs/cgroup/memory/ctr-shim-oom-${process.pid}`
    let notices = 0
    const { connection } = await start(
      ['sh', '-c', 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); exit 3'],
      {
        hostOps: [
          { op: 'cgroup', path },
          {
            op: 'write',
            side: 'host',
            path: `${path}/memory.limit_in_bytes`,
            data: Buffer.from('8388608'),
          },
          { op: 'oom_watch', path, version: 1 },
        ],
        afterClone: [{ op: 'write_pid', path: `${path}/cgroup.procs` }],
        expectAttach: 0,
      },
    )
    connection.onOom(() => notices++)
    const record = await connection.exited
    assert.equal(record.oomKilled, true)
    assert.ok(notices > 0)
    assert.equal(existsSync(path), false)
  })

  it('does not call a plain SIGKILL an OOM kill', async () => {
    const path = `/sys/fs/cgroup/memory/ctr-shim-noom-${process.pid}`
    const { connection } = await start(['sleep', '100'], {
      hostOps: [
        { op: 'cgroup', path },
        { op: 'oom_watch', path, version: 1 },
      ],
      afterClone: [{ op: 'write_pid', path: `${path}/cgroup.procs` }],
    })
    await connection.signal(9)
    const record = await connection.exited
    assert.equal(record.oomKilled, false)
    assert.equal(record.exitCode, 137)
  })

  it('is served by ctr-init: forwarded signals, reaped orphans, the exit code', async () => {
    const init: Op = {
      op: 'bind',
      source: initBinaryPath,
      target: '/sbin/docker-init',
      flags: 0,
      attr: 1n,
      clear: 0n,
      propagation: 0n,
    }
    const args = (script: string): string[] => ['/sbin/docker-init', '--', 'sh', '-c', script]
    const first = await start(args('echo $$; exit 9'), { rootOps: [init] })
    assert.equal(await first.out(), '2\n')
    assert.equal((await first.connection.exited).exitCode, 9)

    const second = await start(
      args("trap 'echo term; exit 4' TERM; echo ready; while :; do sleep 0.05; done"),
      { rootOps: [init] },
    )
    await until(async () =>
      (await readFile(join(second.runtimeDir, 'log'), 'utf8')).includes('ready'),
    )
    await second.connection.signal(15)
    assert.equal((await second.connection.exited).exitCode, 4)
    assert.match(await second.out(), /term/)

    const zombies = 'grep -l "State:.Z" /proc/[0-9]*/status 2>/dev/null'
    const third = await start(
      args(
        `(sleep 0.01 & exec true); sleep 0.2; for i in $(seq 100); do [ -n "$(${zombies})" ] || break; sleep 0.1; done; ${zombies}; kill -9 $$`,
      ),
      { rootOps: [init] },
    )
    assert.equal(await third.out(), '')
    assert.equal((await third.connection.exited).exitCode, 137)

    const missing = await start(['/sbin/docker-init', '--', 'nosuch'], { rootOps: [init] })
    assert.equal((await missing.connection.exited).exitCode, 127)
  })

  it('can be reached by a second connection that sees the same exit', async () => {
    const { connection, runtimeDir } = await start(['sleep', '100'])
    const second = await connectShim(runtimeDir)
    await second.signal(15).catch(() => undefined)
    await second.signal(9)
    assert.deepEqual(await second.exited, await connection.exited)
  })

  it('is not started when the shim cannot keep it in the runtime directory', async () => {
    const dir = await bench.runtimeDir()
    await mkdir(join(dir, 'shim.sock'))
    await assert.rejects(
      bench.spawner.run(minimalProgram(bench, { runtimeDir: dir, args: ['true'] })),
      { op: 'runtime_dir' },
    )
  })

  it('ctr-init outside PID 1 passes codes on and says how it is used', async () => {
    const run = (args: string[]): Promise<number | null> =>
      new Promise((resolve) =>
        spawn(initBinaryPath, args, { stdio: 'ignore' }).once('exit', resolve),
      )
    assert.equal(await run(['--', 'sh', '-c', 'exit 11']), 11)
    assert.equal(await run(['sh', '-c', 'kill -TERM $$']), 143)
    assert.equal(await run([]), 2)
  })
})
