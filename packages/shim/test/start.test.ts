import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { encodeStart } from '../src/encode.ts'
import { connectShim, readExitRecord, ShimError } from '../src/index.ts'
import type { Op } from '../src/ops.ts'
import { Bench, minimalProgram, NAMESPACES, parseLog } from './minimal-program.ts'
import { until } from './until.ts'

/** Requires root: namespaces, mounts. */
describe('a launch program', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  async function run(
    args: readonly string[],
    more: object = {},
  ): Promise<{ code: number; out: string }> {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const program = minimalProgram(bench, { runtimeDir, args, log: { path }, ...more })
    const connection = await bench.spawner.run(program)
    const { exitCode } = await connection.exited
    const log = parseLog(await readFile(path, 'utf8'))
    return { code: exitCode, out: log.map((record) => record.log).join('') }
  }

  it('runs a process as PID 1 in its own namespaces and reports its exit code', async () => {
    const { code, out } = await run(['sh', '-c', 'echo $$; hostname; exit 7'])
    assert.equal(code, 7)
    assert.equal(out, '1\nbench\n')
  })

  it('reports a signal as 128 + n', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }),
    )
    await connection.signal(9)
    const record = await connection.exited
    assert.equal(record.exitCode, 137)
    assert.equal(record.signal, 9)
  })

  it('leaves exactly its exit record, readable after the shim has gone', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'exit 3'] }),
    )
    const record = await connection.exited
    assert.deepEqual(await readExitRecord(runtimeDir), record)
    assert.deepEqual(await readdir(runtimeDir), ['exit'])
    await assert.rejects(connectShim(runtimeDir), { code: 'ENOENT' })
  })

  it('gives the process only stdio, no environment of ours, default signals and the umask', async () => {
    const { out } = await run([
      'sh',
      '-c',
      'ls /proc/self/fd; env | grep -v ^SHLVL; umask; grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status; readlink /proc/self/cwd',
    ])
    const lines = out.split('\n')
    assert.deepEqual(lines.slice(0, 4), ['0', '1', '2', '3']) // 3 is ls's own directory
    assert.deepEqual(lines.slice(4, 7).sort(), ['HOME=/', 'PATH=/bin', 'PWD=/'])
    assert.deepEqual(lines.slice(7, 9), ['0022', 'SigBlk:\t0000000000000000'])
    assert.equal(lines[9], 'SigIgn:\t0000000000000000')
    assert.equal(lines[11], '/')
  })

  it('passes long arguments with any bytes through', async () => {
    const long = `a"'\\\n$(x)\t${'é'.repeat(50_000)}`
    const { out } = await run(['sh', '-c', 'printf %s "$1" | md5sum', 'sh', long])
    const { createHash } = await import('node:crypto')
    assert.equal(out.split(' ')[0], createHash('md5').update(long).digest('hex'))
  })

  it('lets a process without stdin read end-of-file from /dev/null of its own', async () => {
    const { out } = await run([
      'sh',
      '-c',
      'cat; readlink /proc/self/fd/0; stat -c %t:%T /proc/self/fd/0 -L',
    ])
    assert.equal(out, '/dev/null\n1:3\n')
  })

  it('keeps the rest of the host out of the mount namespace', async () => {
    const { out } = await run(['cat', '/proc/self/mountinfo'])
    const mountPoints = out
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[4])
    assert.deepEqual(mountPoints, ['/', '/proc', '/dev', '/dev/pts'])
  })

  it('works on an overlay whose changes stay in the upper directory', async () => {
    const { mkdir } = await import('node:fs/promises')
    for (const name of ['upper', 'work']) await mkdir(join(bench.dir, name))
    const { code } = await run(['sh', '-c', 'echo x >/etc/made'], {
      overlay: { lower: 'image', upper: 'upper', work: 'work' },
    })
    assert.equal(code, 0)
    assert.equal(await readFile(join(bench.dir, 'upper/etc/made'), 'utf8'), 'x\n')
    assert.equal(existsSync(join(bench.dir, 'image/etc/made')), false)
  })

  it('leaves its mounts to the shim, so that its end does not wait for their unmount', async () => {
    const { mkdir } = await import('node:fs/promises')
    for (const name of ['upper2', 'work2']) await mkdir(join(bench.dir, name))
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['sleep', '1000'],
        overlay: { lower: 'image', upper: 'upper2', work: 'work2' },
      }),
    )
    const shim = await readFile(join(runtimeDir, 'shim.pid'), 'utf8')
    const mounts = statSync(`/proc/${connection.pid}/ns/mnt`)
    const held = readdirSync(`/proc/${shim}/fd`)
      .map((fd) => statSync(`/proc/${shim}/fd/${fd}`, { throwIfNoEntry: false }))
      .filter((stats) => stats?.dev === mounts.dev && stats.ino === mounts.ino)
    assert.equal(held.length, 1)
    await connection.signal(9)
    await connection.exited
    await until(() => !existsSync(`/proc/${shim}`))
  })

  const execFailures: readonly [string, string[], string, string][] = [
    ['a name not in PATH', ['nosuch'], 'ENOENT', 'PATH'],
    ['a path that is not there', ['/nosuch'], 'ENOENT', 'stat'],
    ['a directory', ['/etc'], 'EISDIR', 'stat'],
    ['a file that is not executable', ['/etc/plain'], 'EACCES', 'stat'],
    ['a file that is no program', ['/etc/garbage'], 'ENOEXEC', 'execve'],
    ['a script whose interpreter is missing', ['/etc/script'], 'ENOENT', 'execve'],
  ]
  for (const [what, args, code, detail] of execFailures) {
    it(`refuses ${what} with ${code}, and leaves nothing`, async () => {
      const { writeFile, chmod } = await import('node:fs/promises')
      const etc = join(bench.dir, 'image/etc')
      await writeFile(join(etc, 'plain'), 'x')
      await writeFile(join(etc, 'garbage'), '\x01\x02')
      await writeFile(join(etc, 'script'), '#!/nowhere\n')
      await chmod(join(etc, 'garbage'), 0o755)
      await chmod(join(etc, 'script'), 0o755)
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, args })
      await assert.rejects(bench.spawner.run(program), (error) => {
        assert.ok(error instanceof ShimError)
        assert.equal(error.op, 'exec')
        assert.equal(error.code, code)
        assert.equal(error.detail, detail)
        assert.equal(error.index, program.length - 1)
        return true
      })
      assert.deepEqual(await readdir(runtimeDir), [])
    })
  }

  it('names the failing operation, and undoes the cgroup and the socket', async () => {
    const runtimeDir = await bench.runtimeDir()
    const cgroup = `/sys/fs/cgroup/pids/ctr-shim-test-${process.pid}`
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['true'],
      hostOps: [{ op: 'cgroup', path: cgroup }],
      rootOps: [
        { op: 'mount', type: 'nosuchfs', source: 'x', target: '/tmp', flags: 0n, data: '' },
      ],
    })
    const index = program.findIndex((op) => op.op === 'mount' && op.type === 'nosuchfs')
    await assert.rejects(bench.spawner.run(program), {
      message: `operation ${index + 1} of ${program.length}: mount nosuchfs on /tmp: mount: ENODEV`,
    })
    assert.equal(existsSync(cgroup), false)
    assert.deepEqual(await readdir(runtimeDir), [])
  })

  it('reports a failed optional operation as a warning', async () => {
    const runtimeDir = await bench.runtimeDir()
    const missing: Op = {
      op: 'write',
      side: 'child',
      path: '/nosuch',
      data: Buffer.from('x'),
      optional: true,
    }
    const early: Op = {
      op: 'write',
      side: 'host',
      path: '/nosuch/x',
      data: Buffer.from('x'),
      optional: true,
    }
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['sh', '-c', 'exit 0'],
        hostOps: [early],
        processOps: [missing],
      }),
    )
    assert.deepEqual(
      connection.warnings.map((w) => [w.op, w.code]),
      [
        ['write', 'ENOENT'],
        ['write', 'ENOENT'],
      ],
    )
    await connection.exited
  })

  it('refuses a program whose records are in the wrong place', async () => {
    const runtimeDir = await bench.runtimeDir()
    const program = minimalProgram(bench, { runtimeDir, args: ['true'] })
    const wrong = [...program.slice(0, 1), { op: 'umask', mask: 0 } as Op, ...program.slice(1)]
    await assert.rejects(bench.spawner.run(wrong), { code: 'EINVAL', index: 1 })
    await assert.rejects(bench.spawner.run(program.slice(0, -1)), { code: 'EINVAL' })
    assert.deepEqual(await readdir(runtimeDir), [])
  })

  it('does nothing at all for a start message cut short at any byte', async () => {
    const runtimeDir = await bench.runtimeDir()
    const message = encodeStart(minimalProgram(bench, { runtimeDir, args: ['true'] }))
    for (const length of [0, 1, 11, 12, 13, 100, message.length - 1]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(join(bench.dir, 'spawner.sock'))
        socket.on('error', reject)
        socket.on('data', (data) => reject(new Error(`answered ${data.toString('hex')}`)))
        socket.on('close', () => resolve())
        socket.end(message.subarray(0, length))
      })
    }
    assert.deepEqual(await readdir(runtimeDir), [])
  })

  it('refuses a missing runtime directory and one with a living shim', async () => {
    await assert.rejects(
      bench.spawner.run(
        minimalProgram(bench, { runtimeDir: join(bench.dir, 'nosuch'), args: ['true'] }),
      ),
      { op: 'runtime_dir', code: 'ENOENT' },
    )
    const runtimeDir = await bench.runtimeDir()
    const first = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }),
    )
    await assert.rejects(bench.spawner.run(minimalProgram(bench, { runtimeDir, args: ['true'] })), {
      op: 'runtime_dir',
      code: 'EADDRINUSE',
    })
    const second = await connectShim(runtimeDir)
    assert.equal(second.pid, first.pid)
    assert.equal(second.startTime, first.startTime)
    await second.signal(9)
    assert.deepEqual(await second.exited, await first.exited)
  })

  it('holds a created process at wait_start until start()', async () => {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['echo', 'ran'],
        log: { path },
        processOps: [{ op: 'wait_start' }],
      }),
    )
    assert.equal(connection.startedAtNs, 0n)
    connection.close()
    const second = await connectShim(runtimeDir)
    assert.equal(await readFile(path, 'utf8'), '')
    await second.start()
    assert.ok(second.startedAtNs > 0n)
    assert.equal((await second.exited).exitCode, 0)
    assert.equal(parseLog(await readFile(path, 'utf8'))[0]?.log, 'ran\n')
  })

  it('gives the exec error to who calls start()', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['nosuch'], processOps: [{ op: 'wait_start' }] }),
    )
    await assert.rejects(connection.start(), { op: 'exec', code: 'ENOENT' })
  })

  it('reports a process killed before start() as an exit', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['true'], processOps: [{ op: 'wait_start' }] }),
    )
    await connection.signal(9)
    assert.equal((await connection.exited).exitCode, 137)
  })

  it('kills the process when a start is aborted', async () => {
    const runtimeDir = await bench.runtimeDir()
    const controller = new AbortController()
    const run = bench.spawner.run(minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }), {
      signal: controller.signal,
    })
    setImmediate(() => controller.abort(new Error('given up')))
    await assert.rejects(run, /given up/)
    await assert.rejects(connectShim(runtimeDir), { code: 'ENOENT' })
  })

  it('runs a task, holds what it made, and lets go of it at disposal', async () => {
    const program: Op[] = [
      { op: 'clone', flags: NAMESPACES, cgroup: '' },
      { op: 'hold', side: 'child' },
    ]
    const task = await bench.spawner.task(program)
    assert.ok(task.pid > 0)
    assert.ok(existsSync(`/proc/${task.pid}/ns/net`))
    await task[Symbol.asyncDispose]()
    await until(() => !existsSync(`/proc/${task.pid}`))
  })

  it('runs a task without a child and reports which operation failed', async () => {
    const write = (path: string): Op => ({
      op: 'write',
      side: 'host',
      path,
      data: Buffer.from('1'),
    })
    const task = await bench.spawner.task([write('/dev/null')])
    assert.equal(task.pid, 0)
    await assert.rejects(bench.spawner.task([write('/dev/null'), write('/nosuch')]), {
      index: 1,
      code: 'ENOENT',
    })
  })
})
