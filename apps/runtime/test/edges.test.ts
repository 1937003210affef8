import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { cgroupDirectory, cgroupPids, findHierarchy, readCgroupLayout } from '@ctr/linux'
import { defaultConfig } from '../src/default-config.ts'
import { message, SUITE_MS, TestBundle, until } from './bundle.ts'

const { linux } = defaultConfig({ isRootless: false })
const layout = readCgroupLayout()

/** Requires root. Cgroups in an odd state, containers without namespaces of their own; as runc's own tests have them. */
describe('edges', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  beforeEach(() => bundle.configure({}))
  after(() => bundle[Symbol.dispose]())

  const hostPids = (script: string): void =>
    bundle.configure(
      { linux: { ...linux, namespaces: (linux?.namespaces ?? []).filter(isNotPid) } },
      { args: ['sh', '-c', script] },
    )

  it('a filter that does not know faccessat2 keeps no program from being found', async () => {
    const names = ['faccessat2']
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW' as const,
      syscalls: [{ names, action: 'SCMP_ACT_ERRNO' as const }],
    }
    for (const program of ['/bin/echo', 'echo']) {
      bundle.configure(
        { linux: { ...linux, seccomp } },
        { args: [program, 'found'], noNewPrivileges: false },
      )
      const { stdout, stderr } = await bundle.run('run', bundle.id('filter'))
      assert.equal(stdout, 'found\n', stderr)
    }
  })

  it('a SIGKILL ends all processes of a container in the PID namespace of the host', async () => {
    const id = bundle.id('all')
    hostPids('sleep 100 & sleep 100 & wait')
    await bundle.run('run', '-d', id)
    const pids = (): number[] => cgroupPids(layout, `/ctr-runtime/${id}`)
    await until(() => pids().length === 3, 'all run')
    assert.equal((await bundle.run('kill', id, 'KILL')).code, 0)
    await until(() => pids().length === 0, 'all are gone')
    assert.equal(message(await bundle.run('kill', id, 'KILL')), 'container not running')
    await bundle.run('delete', id)
  })

  it('and those that outlived the first of them', async () => {
    const id = bundle.id('orphans')
    hostPids('sleep 100 & exit 0')
    await bundle.run('run', '-d', id)
    await until(async () => (await bundle.state(id)).status === 'stopped', 'the first has ended')
    const pids = (): number[] => cgroupPids(layout, `/ctr-runtime/${id}`)
    assert.equal(pids().length, 1)
    assert.equal(message(await bundle.run('kill', id, 'TERM')), 'container not running')
    assert.equal((await bundle.run('kill', id, 'KILL')).code, 0)
    await until(() => pids().length === 0, 'it is gone')
    await bundle.run('delete', id)
  })

  it('refuses a cgroup that is frozen, where it would wait for ever', async () => {
    const id = bundle.id('frozen')
    const hierarchy = findHierarchy(layout, 'freezer') ?? layout.hierarchies[0]
    assert.ok(hierarchy)
    const directory = cgroupDirectory(hierarchy, `/ctr-runtime/${id}`)
    mkdirSync(directory, { recursive: true })
    const [file, on, off] =
      hierarchy.version === 1 ? ['freezer.state', 'FROZEN', 'THAWED'] : ['cgroup.freeze', '1', '0']
    writeFileSync(join(directory, file), on)
    for (const command of [['create'], ['run', '-d']]) {
      const result = await bundle.run(...command, id)
      assert.match(message(result), /container's cgroup unexpectedly frozen$/)
      assert.deepEqual(bundle.containers(), [])
    }
    writeFileSync(join(directory, file), off)
    rmdirSync(directory)
  })

  it('refuses resources of cgroup v2 on v1', { skip: layout.mode === 'v2' }, async () => {
    const resources = { unified: { 'memory.min': '131072' } }
    bundle.configure({ linux: { ...linux, resources } })
    const result = await bundle.run('create', bundle.id('unified'))
    assert.match(message(result), /invalid configuration: cannot use unified on cgroup v1$/)
  })

  it('exec does not leave the cgroup of the container', async () => {
    const id = bundle.id('sub')
    await bundle.run('run', '-d', id)
    for (const path of ['..', 'a/../../b', '/../x']) {
      const result = await bundle.run('exec', '--cgroup', path, id, 'true')
      assert.equal(message(result), `exec failed: bad sub cgroup path: ${path}`)
    }
    assert.equal((await bundle.run('exec', '--cgroup', '/', id, 'true')).code, 0)
    for (const [flags, text] of [
      [['a', 'b'], 'invalid --cgroup argument: a (missing <controller>: prefix)'],
      [[':a'], 'invalid --cgroup argument: :a (empty <controller> prefix)'],
      [['odd:a'], 'unknown controller odd in SubCgroupPaths'],
    ] as const) {
      const options = flags.flatMap((flag) => ['--cgroup', flag])
      const result = await bundle.run('exec', ...options, id, 'true')
      assert.equal(message(result), `exec failed: ${text}`)
    }
    for (const flags of layout.mode === 'v2' ? [['none']] : [['none'], ['pids:none']]) {
      const options = flags.flatMap((flag) => ['--cgroup', flag])
      const result = await bundle.run('exec', ...options, id, 'true')
      assert.match(message(result), / adding pid to cgroups: .*no such file or directory$/)
    }
    await bundle.run('delete', '-f', id)
  })

  it('exec goes to a cgroup for each controller', { skip: layout.mode === 'v2' }, async () => {
    const id = bundle.id('each')
    const place = (controller: string): string => {
      const hierarchy = findHierarchy(layout, controller)
      assert.ok(hierarchy)
      return cgroupDirectory(hierarchy, `/ctr-runtime/${id}`)
    }
    await bundle.run('run', '-d', id)
    for (const controller of ['pids', 'cpu', 'freezer']) mkdirSync(join(place(controller), 'sub'))
    const flags = ['--cgroup', 'pids,cpu:sub', '--cgroup', 'freezer:/sub/']
    const script =
      'grep -c "/sub$" /proc/self/cgroup; grep -E ":(memory|devices):" /proc/self/cgroup'
    const { stdout, stderr } = await bundle.run('exec', ...flags, id, 'sh', '-c', script)
    assert.equal(stderr, '')
    assert.match(stdout, /^3\n/)
    assert.doesNotMatch(stdout, /(memory|devices):.*sub/)
    await bundle.run('delete', '-f', id)
    assert.equal(existsSync(place('pids')), false)
  })

  it('leaves out letters of device rules that the kernel does not know', async () => {
    const devices = [{ allow: false, type: 'c' as const, major: 1, minor: 11, access: 'rwa' }]
    bundle.configure({ linux: { ...linux, resources: { devices } } }, { args: ['true'] })
    const { code, stderr } = await bundle.run('run', bundle.id('rwa'))
    assert.equal(code, 0, stderr)
    bundle.configure({})
  })

  it('updates to zero, and to no limit at all', async () => {
    const id = bundle.id('zero')
    const resources = { memory: { limit: 64 << 20, swap: 80 << 20 }, cpu: { quota: 50_000 } }
    bundle.configure({ linux: { ...linux, resources } })
    await bundle.run('run', '-d', id)
    const cpu = findHierarchy(layout, 'cpu')
    assert.ok(cpu)
    const name = cpu.version === 1 ? 'cpu.cfs_burst_us' : 'cpu.max.burst'
    const burst = (): string =>
      readFileSync(join(cgroupDirectory(cpu, `/ctr-runtime/${id}`), name), 'utf8').trim()
    for (const value of ['20000', '0']) {
      assert.equal((await bundle.run('update', '--cpu-burst', value, id)).code, 0)
      assert.equal(burst(), value)
    }
    const result = await bundle.run('update', '--memory', '-1', id)
    assert.deepEqual([result.code, result.stderr], [0, ''])
    await bundle.run('delete', '-f', id)
  })

  it('names a descriptor that is not there to preserve', async () => {
    const result = await bundle.run('run', '--preserve-fds', '200', bundle.id('fds'))
    assert.match(message(result), /unable to stat preserved-fd \d+ \(of 200\): no such file/)
    assert.deepEqual(bundle.containers(), [])
  })

  it('says which interpreter is missing', async () => {
    writeFileSync(join(bundle.dir, 'rootfs/script'), '#!/nosuch\n', { mode: 0o755 })
    const id = bundle.id('script')
    await bundle.run('run', '-d', id)
    assert.equal(
      message(await bundle.run('exec', id, '/script')),
      'exec failed: unable to start container process: exec /script: no such file or directory',
    )
    await bundle.run('delete', '-f', id)
  })
})

function isNotPid({ type }: { type: string }): boolean {
  return type !== 'pid'
}
