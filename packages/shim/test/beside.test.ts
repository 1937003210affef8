import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Bench, minimalProgram } from './minimal-program.ts'
import { until } from './until.ts'

/** Requires root: namespaces, mounts, cgroup v1. */
describe('operations of the host beside those of the child', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  it('runs operations of the host while the child does those before them', async () => {
    const runtimeDir = await bench.runtimeDir()
    const cgroup = `/sys/fs/cgroup/pids/ctr-shim-test-${process.pid}`
    const fifo = await makeFifo(bench, 'fifo')
    const data = Buffer.from('0')
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['cat', '/proc/self/cgroup'],
      afterClone: [
        { op: 'write', side: 'child', path: fifo, data },
        { op: 'cgroup', path: cgroup, beside: true },
        { op: 'write', side: 'child', path: `${cgroup}/cgroup.procs`, data },
      ],
      log: { path: join(runtimeDir, 'log') },
    })
    const running = bench.spawner.run(program)
    await until(() => existsSync(cgroup))
    assert.equal((await readFile(fifo)).toString(), '0')
    const connection = await running
    assert.equal((await connection.exited).exitCode, 0)
    assert.match(await readFile(join(runtimeDir, 'log'), 'utf8'), /:\/.*ctr-shim-test-/)
    assert.equal(existsSync(cgroup), false)
  })

  it('names the operation of the child, when one of the host fails because the child has', async () => {
    const runtimeDir = await bench.runtimeDir()
    const fifo = await makeFifo(bench, 'fifo')
    const data = Buffer.from('x')
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['true'],
      afterClone: [
        { op: 'write', side: 'child', path: '/nosuch/child', data },
        { op: 'write', side: 'host', path: fifo, data, beside: true },
        { op: 'write', side: 'host', path: '/nosuch/host', data, beside: true },
      ],
    })
    const running = bench.spawner.run(program)
    const failed = assert.rejects(running, { message: /write \/nosuch\/child: ENOENT$/ })
    let shim = 0
    await until(async () => {
      // It is there before anything is in it.
      shim = Number(await readFile(join(runtimeDir, 'shim.pid'), 'latin1').catch(() => '0'))
      return shim > 0
    })
    await until(() => childStates(shim).includes('Z'))
    await readFile(fifo)
    await failed
    assert.deepEqual(await readdir(runtimeDir), [])
  })

  it('names the operation of a child that fails when its next turn is already given', async () => {
    const runtimeDir = await bench.runtimeDir()
    const [held, passed] = [await makeFifo(bench, 'held'), await makeFifo(bench, 'passed')]
    const data = Buffer.from('0')
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['true'],
      afterClone: [
        { op: 'write', side: 'child', path: held, data },
        { op: 'write', side: 'child', path: '/nosuch/child', data },
        { op: 'write', side: 'host', path: passed, data, beside: true },
        { op: 'umask', mask: 0 },
      ],
    })
    const failed = assert.rejects(bench.spawner.run(program), {
      message: /write \/nosuch\/child: ENOENT$/,
    })
    await readFile(passed)
    await readFile(held)
    await failed
  })

  it('refuses operations beside nothing, of the child, or beside one that waits', async () => {
    const aside = {
      op: 'write',
      side: 'host',
      path: '/x',
      data: Buffer.from('x'),
      beside: true,
    } as const
    const wrong: readonly Partial<Parameters<typeof minimalProgram>[1]>[] = [
      { hostOps: [aside] },
      { afterClone: [aside] },
      { rootOps: [{ ...aside, side: 'child' }] },
      { processOps: [{ op: 'wait_start' }, aside] },
      { rootOps: [{ op: 'pause', beside: true }] },
    ]
    for (const more of wrong) {
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, args: ['true'], ...more })
      const index = program.findIndex((op) => op.beside === true)
      await assert.rejects(bench.spawner.run(program), { code: 'EINVAL', index })
    }
  })
})

async function makeFifo(bench: Bench, name: string): Promise<string> {
  const path = join(await bench.runtimeDir(), name)
  await promisify(execFile)('mkfifo', [path])
  return path
}

/** `S`, `R`, `Z`. proc(5), /proc/pid/stat */
function childStates(pid: number): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ')
  return children
    .filter(Boolean)
    .map((child) => /\) (\w)/.exec(readFileSync(`/proc/${child}/stat`, 'latin1'))?.[1] ?? '')
}
