// needs: root, systemd as PID 1 (scripts/test-v2.sh --systemd), busybox-static
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isSystemdBooted } from '@ctr/linux'
import { message, RUNTIME, TestBundle, testCriu, until } from './bundle.ts'

const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : isSystemdBooted() && existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? false
      : 'systemd does not run this machine'

const MiB = 1024 * 1024
const criu = await testCriu()

function property(unit: string, name: string): string {
  const args = ['show', '--property', name, '--value', unit]
  return execFileSync('systemctl', args, { encoding: 'utf8' }).trim()
}

test('without systemd the flag is refused', {
  skip: process.getuid?.() !== 0 ? 'needs root' : isSystemdBooted() ? 'systemd is there' : false,
}, async () => {
  using bundle = new TestBundle()
  const result = await bundle.run('--systemd-cgroup', 'run', bundle.id('c'))
  assert.equal(result.code, 1)
  assert.match(message(result), /systemd support for managing cgroups is not available/)
  assert.deepEqual(bundle.containers(), [])
})

describe('scopes of systemd', { skip }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  after(() => bundle[Symbol.dispose]())

  test('a container lives in a scope of its slice, with limits that a reload keeps', async () => {
    const id = bundle.id('scope')
    bundle.configure(
      {
        linux: {
          namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'uts' }],
          cgroupsPath: `ctrtest-a.slice:ctr:${id}`,
          resources: {
            memory: { limit: 50 * MiB, swap: 50 * MiB },
            cpu: { quota: 50_000, period: 100_000, shares: 512 },
            pids: { limit: 30 },
          },
        },
      },
      { args: ['sleep', '1000'] },
    )
    const unit = `ctr-${id}.scope`
    const created = await bundle.run('--systemd-cgroup', 'create', id)
    assert.equal(created.code, 0, created.stderr)
    await bundle.run('start', id)
    const { pid } = await bundle.state(id)
    const path = `/ctrtest.slice/ctrtest-a.slice/${unit}`
    assert.equal(readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim(), `0::${path}`)
    assert.equal(property(unit, 'ActiveState'), 'active')
    assert.equal(property(unit, 'Delegate'), 'yes')
    assert.equal(property(unit, 'Slice'), 'ctrtest-a.slice')
    assert.equal(readFileSync(`/sys/fs/cgroup${path}/cgroup.procs`, 'utf8').trim(), String(pid))

    const file = (name: string): string =>
      readFileSync(`/sys/fs/cgroup${path}/${name}`, 'utf8').trim()
    const limits = (): string[] =>
      ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map(file)
    const expected = [String(50 * MiB), '0', '50000 100000', '30']
    assert.deepEqual(limits(), expected)
    execFileSync('systemctl', ['daemon-reload'])
    assert.deepEqual(limits(), expected)
    assert.equal(file('cpu.weight'), '59')

    const updated = await bundle.run(
      'update',
      '--memory',
      '64M',
      '--memory-swap',
      '64M',
      '--pids-limit',
      '40',
      id,
    )
    assert.equal(updated.code, 0, updated.stderr)
    execFileSync('systemctl', ['daemon-reload'])
    assert.equal(file('memory.max'), String(64 * MiB))
    assert.equal(file('pids.max'), '40')
    assert.equal(property(unit, 'TasksMax'), '40')

    const inside = await bundle.run('exec', id, 'true')
    assert.equal(inside.code, 0, inside.stderr)
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
    assert.ok(!existsSync(`/sys/fs/cgroup${path}`))
    assert.equal(property(unit, 'LoadState'), 'not-found')
  })

  test('a container that ends, and one that cannot start, leave no unit', async () => {
    bundle.configure({}, { args: ['true'] })
    const ended = bundle.id('ended')
    assert.equal((await bundle.run('--systemd-cgroup', 'run', ended)).code, 0)
    bundle.configure({}, { args: ['nosuch'] })
    const failed = bundle.id('failed')
    assert.equal((await bundle.run('--systemd-cgroup', 'run', failed)).code, 1)
    for (const id of [ended, failed]) {
      const unit = `ctr-${id}.scope`
      await until(() => property(unit, 'LoadState') === 'not-found', `the end of ${unit}`)
    }
  })

  test('a restored container is in its scope again', {
    skip: criu === undefined ? 'needs criu 4' : false,
  }, async () => {
    bundle.configure({ root: { path: 'rootfs', readonly: true } }, { args: ['sleep', '1000'] })
    const id = bundle.id('restored')
    const images = join(bundle.dir, 'images')
    // criu's way with descriptors wants them to be none of a terminal.
    const run = (...args: string[]): ReturnType<TestBundle['run']> =>
      bundle.run('--systemd-cgroup', '--criu', criu ?? '', ...args)
    const detached = (...args: string[]): number => {
      const command = ['--root', bundle.root, '--systemd-cgroup', '--criu', criu ?? '', ...args]
      return Number(spawnSync(RUNTIME, command, { cwd: bundle.dir, stdio: 'ignore' }).status)
    }
    assert.equal(detached('run', '-d', id), 0)
    const dumped = await run('checkpoint', '--image-path', images, id)
    assert.equal(dumped.code, 0, dumped.stderr)
    assert.equal(detached('restore', '-d', '--image-path', images, id), 0)
    const unit = `ctr-${id}.scope`
    const { pid } = await bundle.state(id)
    assert.equal(property(unit, 'ActiveState'), 'active')
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`/${unit}$`, 'm'))
    assert.equal((await run('delete', '--force', id)).code, 0)
    assert.equal(property(unit, 'LoadState'), 'not-found')
  })

  test('a path that names no scope is refused', async () => {
    const namespaces = [{ type: 'mount' }, { type: 'uts' }] as const
    bundle.configure({ linux: { namespaces: [...namespaces], cgroupsPath: '/a/b' } })
    const result = await bundle.run('--systemd-cgroup', 'run', bundle.id('bad'))
    assert.equal(result.code, 1)
    assert.match(message(result), /expected cgroupsPath to be of format "slice:prefix:name"/)
  })
})
