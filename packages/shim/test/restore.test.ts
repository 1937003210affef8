import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { shimBinaryPath } from '../src/binary.ts'
import { ShimError } from '../src/index.ts'
import type { Op, Program } from '../src/ops.ts'
import { Bench } from './minimal-program.ts'

const CLONE_NEWNS = 0x00020000n
const LOOPBACK = '127.0.0.1'

/** Requires root. What criu does right is seen in test/checkpoint.test.ts; here it is a program that does it wrong. */
describe('restore', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  async function failure(
    args: readonly string[],
    o: { request?: string; behind?: readonly Op[] } = {},
  ): Promise<ShimError> {
    const runtimeDir = await bench.runtimeDir()
    const program: Program = [
      { op: 'runtime_dir', path: runtimeDir },
      { op: 'stdio', flags: 0, uid: 0, gid: 0, rows: 0, columns: 0 },
      { op: 'clone', flags: CLONE_NEWNS, cgroup: '' },
      {
        op: 'restore',
        pid_file: join(runtimeDir, 'pid'),
        args,
        env: ['PATH=/usr/bin:/bin'],
        request: Buffer.from(o.request ?? ''),
      },
      ...(o.behind ?? []),
    ]
    const error = await bench.spawner.run(program).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    assert.ok(error instanceof ShimError, String(error))
    assert.equal(existsSync(join(runtimeDir, 'shim.sock')), false)
    return error
  }

  it('fails with the exit status or signal of criu', async () => {
    const status = await failure(['/bin/sh', '-c', 'exit 3'])
    assert.deepEqual([status.code, status.detail], ['ECHILD', 'criu: exited with 3'])
    const signal = await failure(['/bin/sh', '-c', 'kill -9 $$'])
    assert.equal(signal.detail, 'criu: killed by signal 9')
    const missing = await failure(['/none/criu'])
    assert.deepEqual([missing.op, missing.code, missing.detail], ['restore', 'ENOENT', 'execve'])
  })

  it('takes over no process but a child of its own', async () => {
    const none = await failure(['/bin/true'])
    assert.deepEqual([none.code, none.detail], ['ENOENT', 'process of criu'])
    const nonsense = await failure(['/bin/sh', '-c', 'echo x >"$0"', '/dev/null'])
    assert.equal(nonsense.detail, 'process of criu')
  })

  it('of a terminal fails when criu does not answer, or answers nonsense', async () => {
    const silent = await failure(['/bin/true'], { request: 'request' })
    assert.deepEqual([silent.code, silent.detail], ['EINVAL', 'process of criu'])
    const noise = await failure(['/bin/sh', '-c', 'head -c 100 /dev/urandom >&7'], {
      request: 'request',
    })
    assert.equal(noise.detail, 'process of criu')
  })

  it('hears the last words of a criu that has ended and read nothing', async () => {
    const dir = await bench.runtimeDir()
    const [notify, done] = ['\\010\\006\\020\\001', '\\010\\001\\020\\001']
    const criu = join(dir, 'criu')
    // Both messages are there, and the sender is not, when the first is read.
    const lines = [
      '#!/bin/sh',
      'kill -STOP $PPID',
      '(eval "exec $2>&-"; until grep -q "^State:.Z" /proc/$$/status; do sleep 0.01; done; kill -CONT $PPID) &',
      `printf '${notify}' >&$2`,
      `printf '${done}' >&$2`,
    ]
    await writeFile(criu, lines.join('\n'), { mode: 0o755 })
    const shim = process.env['CTR_SHIM_BINARY'] ?? shimBinaryPath
    const ended = spawnSync(shim, ['criu', criu], { input: 'request', encoding: 'utf8' })
    assert.deepEqual([ended.status, ended.stderr], [0, ''])
  })

  it('stands last of what the child does', async () => {
    const child: Op = { op: 'write', side: 'child', path: '/dev/null', data: Buffer.from('x') }
    assert.equal((await failure(['/bin/true'], { behind: [child] })).code, 'EINVAL')
    const exec: Op = { op: 'exec', args: ['true'], env: [] }
    assert.equal((await failure(['/bin/true'], { behind: [exec] })).code, 'EINVAL')
    const late: Op = {
      op: 'forward',
      protocol: 6,
      address: LOOPBACK,
      port: 0,
      target_address: LOOPBACK,
      target_port: 1,
    }
    assert.equal((await failure(['/bin/true'], { behind: [late] })).code, 'EINVAL')
  })
})
