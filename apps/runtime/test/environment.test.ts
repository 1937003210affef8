import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { message, RUNTIME, SUITE_MS, TestBundle } from './bundle.ts'

/** Requires root. What a process finds; the expectations are those of runc's own tests. */
describe('environment', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  beforeEach(() => bundle.configure({}))
  after(() => bundle[Symbol.dispose]())

  const envOf = async (env: string[]): Promise<string> => {
    bundle.configure({}, { args: ['/bin/env'], env })
    return (await bundle.run('run', bundle.id('env'))).stdout
  }

  it('the last value of a name counts, once', async () => {
    const text = await envOf(['ONE=1', 'PATH=/bin', 'TWO=\n', 'ONE=', 'HOME=/x'])
    assert.equal(text, 'PATH=/bin\nTWO=\n\nONE=\nHOME=/x\n')
  })

  it('an empty HOME is that of the user', async () => {
    assert.equal(await envOf(['HOME=/x', 'HOME=', 'PATH=/bin']), 'PATH=/bin\nHOME=/root\n')
  })

  it('HOME comes from an /etc/passwd behind links too, and never from the host', async () => {
    const etc = join(bundle.dir, 'rootfs/etc/passwd')
    const text = readFileSync(etc)
    rmSync(etc)
    mkdirSync(join(bundle.dir, 'rootfs/share'))
    writeFileSync(join(bundle.dir, 'rootfs/share/passwd'), 'r:x:0:0:r:/behind:/bin/sh\n')
    symlinkSync('../../../../share/passwd', etc)
    assert.equal(await envOf(['PATH=/bin']), 'PATH=/bin\nHOME=/behind\n')
    rmSync(etc)
    writeFileSync(etc, text)
  })

  it('a variable without = is refused', async () => {
    bundle.configure({}, { env: ['PATH'] })
    const result = await bundle.run('run', bundle.id('bad'))
    assert.equal(message(result), "runc run failed: invalid environment variable: missing '='")
    assert.deepEqual(bundle.containers(), [])
  })

  it('a process without a user is root, a user without a group is in group 0', async () => {
    bundle.configure({}, { args: ['id', '-u'], user: undefined as never })
    assert.equal((await bundle.run('run', bundle.id('user'))).stdout, '0\n')
    bundle.configure({}, { args: ['id'], user: { uid: 7 } as never })
    assert.equal((await bundle.run('run', bundle.id('group'))).stdout, 'uid=7 gid=0\n')
  })

  it('lines on a terminal end as they were written when the output is a pipe', () => {
    bundle.configure({}, { args: ['echo', 'one'], terminal: true })
    const out = execFileSync(RUNTIME, ['--root', bundle.root, 'run', bundle.id('pipe')], {
      cwd: bundle.dir,
      encoding: 'utf8',
    })
    assert.equal(out, 'one\n')
  })

  it('runs on all CPUs of the cpuset, whatever those of its caller', async () => {
    const all = cpusOf(readFileSync('/proc/self/status', 'utf8'))
    bundle.configure({}, { args: ['cat', '/proc/self/status'] })
    const pinned = ['-c', all.split(/[-,]/)[0] ?? '0', RUNTIME, '--root', bundle.root]
    const run = (...args: string[]): string =>
      execFileSync('taskset', [...pinned, ...args], { cwd: bundle.dir, encoding: 'utf8' })
    assert.equal(cpusOf(run('run', bundle.id('cpus'))), all)

    bundle.configure({})
    const id = bundle.id('exec-cpus')
    await bundle.run('run', '-d', id)
    assert.equal(cpusOf(run('exec', id, 'cat', '/proc/self/status')), all)
    const file = join(bundle.dir, 'process.json')
    const [first = '0'] = all.split(/[-,]/)
    const wanted = { args: ['cat', '/proc/self/status'], cwd: '/', env: ['PATH=/bin'] }
    writeFileSync(file, JSON.stringify({ ...wanted, execCPUAffinity: { final: first } }))
    assert.equal(cpusOf((await bundle.run('exec', '-p', file, id)).stdout), first)
    await bundle.run('delete', '--force', id)
  })

  it('warns of ambient capabilities that cannot be', async () => {
    const capabilities = { permitted: ['CAP_KILL', 'CAP_CHOWN'], inheritable: ['CAP_KILL'] }
    bundle.configure(
      {},
      {
        args: ['grep', 'CapAmb', '/proc/self/status'],
        capabilities: {
          ...capabilities,
          bounding: capabilities.permitted,
          ambient: ['CAP_KILL', 'CAP_CHOWN'],
        },
      },
    )
    const { stdout, stderr } = await bundle.run('run', bundle.id('ambient'))
    assert.equal(stdout, 'CapAmb:\t0000000000000020\n')
    assert.match(stderr, /level=warning msg="can't raise ambient capability CAP_CHOWN: /)
    assert.doesNotMatch(stderr, /CAP_KILL/)
  })
})

function cpusOf(status: string): string {
  return /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1] ?? ''
}
