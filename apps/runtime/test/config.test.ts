import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { cgroupDirectory, findHierarchy, readHostFacts } from '@ctr/linux'
import type { RuntimeResources, RuntimeSpec } from '@ctr/oci'
import { defaultConfig } from '../src/default-config.ts'
import { message, SUITE_MS, TestBundle, until } from './bundle.ts'

// Fields of config.json and flags that no other file here has.
const host = readHostFacts()
const base = defaultConfig({ isRootless: false })

/** '0' in a container: the root is its own group then, and was given nothing. */
function rootRealtimeUs(): string {
  const cpu = findHierarchy(host.cgroups, 'cpu')
  if (cpu === undefined) return ''
  return readFileSync(join(cgroupDirectory(cpu, '/'), 'cpu.rt_runtime_us'), 'utf8').trim()
}

describe('config.json', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  after(() => bundle[Symbol.dispose]())

  const linux = (changes: NonNullable<RuntimeSpec['linux']>): Partial<RuntimeSpec> => ({
    linux: { ...base.linux, ...changes },
  })
  const resources = (changes: RuntimeResources): Partial<RuntimeSpec> =>
    linux({ resources: { ...base.linux?.resources, ...changes } })

  async function output(
    script: string,
    changes: Partial<RuntimeSpec> = {},
    process: Partial<NonNullable<RuntimeSpec['process']>> = {},
    flags: readonly string[] = [],
    id = bundle.id('cc'),
  ): Promise<string> {
    bundle.configure(changes, { args: ['sh', '-c', script], ...process })
    const result = await bundle.run('run', ...flags, id)
    assert.equal(result.code, 0, result.stderr)
    return result.stdout.trim()
  }

  it('umask, personality, domain name and OOM score', async () => {
    const user = { uid: 0, gid: 0, umask: 0o27 }
    const look =
      'umask; cat /proc/self/personality /proc/sys/kernel/domainname /proc/self/oom_score_adj'
    const changes = { domainname: 'example', ...linux({ personality: { domain: 'LINUX32' } }) }
    assert.equal(
      await output(look, changes, { user, oomScoreAdj: 500 }),
      '0027\n00000008\nexample\n500',
    )
  })

  it('masked and read-only paths are those of the config', async () => {
    const changes = linux({
      maskedPaths: ['/etc/passwd', '/root', '/none'],
      readonlyPaths: ['/tmp', '/nope'],
    })
    const look =
      'wc -c </etc/passwd; touch /root/x 2>&1; touch /tmp/x 2>&1; test -e /proc/keys && wc -c </proc/keys | grep -vc "^0$"'
    assert.match(
      await output(look, changes),
      /^0\ntouch: \/root\/x: Read-only file system\ntouch: \/tmp\/x: Read-only file system\n1$/,
    )
  })

  it('annotations are in the state, config.json is not read again', async () => {
    bundle.configure({ annotations: { 'org.example.key': 'value' } })
    const id = bundle.id('noted')
    assert.equal((await bundle.run('create', id)).code, 0)
    bundle.configure({ annotations: {} })
    const state = JSON.parse((await bundle.run('state', id)).stdout) as RuntimeSpec
    assert.deepEqual(state.annotations, { 'org.example.key': 'value' })
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
  })

  it('a cgroup of the caller’s choice, with the weight of block I/O', {
    skip: host.cgroups.mode === 'v2',
  }, async () => {
    const cgroupsPath = `/ctr-runtime/${bundle.id('chosen')}`
    const blkio = findHierarchy(host.cgroups, 'blkio')
    const weight = blkio && join(cgroupDirectory(blkio, cgroupsPath), 'blkio.bfq.weight')
    bundle.configure(linux({ cgroupsPath, resources: { blockIO: { weight: 300 } } }))
    const id = bundle.id('weighed')
    assert.equal((await bundle.run('run', '-d', id)).code, 0)
    const { pid } = await bundle.state(id)
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`${cgroupsPath}\n`))
    if (weight !== undefined && existsSync(weight))
      assert.equal(readFileSync(weight, 'utf8').trim(), '300')
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
  })

  const LIMITS: readonly [controller: string, RuntimeResources][] = [
    ['net_cls', { network: { classID: 5 } }],
    ['net_prio', { network: { priorities: [{ name: 'lo', priority: 5 }] } }],
    ['rdma', { rdma: { mlx5_0: { hcaHandles: 3 } } }],
    ['hugetlb', { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }],
  ]
  for (const [controller, limits] of LIMITS) {
    const found = findHierarchy(host.cgroups, controller)
    // cgroup v2 has none of these, and their limits are left out there.
    const isV1Only = controller.startsWith('net_') && host.cgroups.mode === 'v2'
    it(`a limit of ${controller} is refused by name where the host has no such controller`, {
      skip:
        isV1Only || (found !== undefined && (found.version === 1 || host.cgroups.mode === 'v2'))
          ? `${controller} is there, or of cgroup v1 only`
          : false,
    }, async () => {
      bundle.configure(resources(limits))
      const result = await bundle.run('run', '-d', bundle.id('limited'))
      assert.equal(result.code, 1)
      assert.match(message(result), new RegExp(`this host has no ${controller} cgroup controller`))
      assert.deepEqual([bundle.containers(), bundle.cgroups()], [[], []])
    })
  }

  it('a real-time share is made room for in the parent that is ours', {
    skip: host.hasRealtimeGroups
      ? rootRealtimeUs() === '0' && 'the cgroup that we see as the root has no real-time share'
      : 'the kernel has no real-time groups',
  }, async () => {
    const changes = resources({ cpu: { realtimeRuntime: 2000, realtimePeriod: 1_000_000 } })
    const file = '/sys/fs/cgroup/cpu/cpu.rt_runtime_us'
    assert.equal(await output(`cat ${file}`, changes), '2000')
  })

  it('a keyring of its own, or that of the caller', async () => {
    const changes = linux({ maskedPaths: [] })
    const look = 'grep -o "_ses[^:]*" /proc/keys | sort -u'
    // Two names: the kernel collects the keyring of a container that is gone some time later.
    const [own, none] = [bundle.id('own'), bundle.id('none')]
    const keyrings = async (id: string, ...flags: string[]): Promise<string[]> =>
      (await output(`${look}; true`, changes, {}, flags, id)).split('\n')
    assert.ok((await keyrings(own)).includes(`_ses.${own}`))
    assert.ok(!(await keyrings(none, '--no-new-keyring')).includes(`_ses.${none}`))
  })
})

describe('commands', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  let id: string
  before(async () => {
    bundle = new TestBundle()
    id = bundle.id('cc')
    assert.equal((await bundle.run('run', '-d', id)).code, 0)
  })
  after(() => bundle[Symbol.dispose]())

  it('run --keep leaves the container, stopped', async () => {
    bundle.configure({}, { args: ['true'] })
    const kept = bundle.id('kept')
    assert.equal((await bundle.run('run', '--keep', '--no-subreaper', kept)).code, 0)
    assert.equal((await bundle.state(kept)).status, 'stopped')
    assert.equal((await bundle.run('delete', kept)).code, 0)
  })

  it('list, ps and features answer JSON', async () => {
    assert.equal((await bundle.run('list', '-q')).stdout, `${id}\n`)
    const list = JSON.parse((await bundle.run('list', '-f', 'json')).stdout) as {
      id: string
      status: string
    }[]
    assert.deepEqual(
      list.map((one) => [one.id, one.status]),
      [[id, 'running']],
    )
    const { pid } = await bundle.state(id)
    assert.deepEqual(JSON.parse((await bundle.run('ps', '-f', 'json', id)).stdout), [pid])
    const features = JSON.parse((await bundle.run('features')).stdout) as {
      hooks: string[]
      linux: { namespaces: string[]; cgroup: Record<string, boolean> }
    }
    assert.equal(features.hooks.length, 6)
    assert.equal(features.linux.namespaces.length, 8)
    assert.equal(features.linux.cgroup['v1'], true)
  })

  it('spec writes a config that runs, and none over another', async () => {
    const fresh = join(bundle.dir, 'fresh')
    mkdirSync(fresh)
    symlinkSync(join(bundle.dir, 'rootfs'), join(fresh, 'rootfs'))
    assert.equal((await bundle.run('spec', '--bundle', fresh)).code, 0)
    assert.match(message(await bundle.run('spec', '--bundle', fresh)), /config\.json exists/i)
    const path = join(fresh, 'config.json')
    const spec = JSON.parse(readFileSync(path, 'utf8')) as RuntimeSpec
    assert.deepEqual([spec.process?.args, spec.root?.readonly], [['sh'], true])
    const process = { ...spec.process, terminal: false, args: ['echo', 'hi'] }
    writeFileSync(path, JSON.stringify({ ...spec, process }))
    const result = await bundle.run('run', '--bundle', fresh, bundle.id('fresh'))
    assert.equal(result.stdout, 'hi\n', result.stderr)
  })

  it('exec has further groups', async () => {
    const result = await bundle.run('exec', '--user', '5:6', '-g', '7', '-g', '8', id, 'id')
    assert.equal(result.stdout, 'uid=5 gid=6 groups=7,8\n')
  })

  it('a pid that has passed to another process is not the container', async () => {
    const gone = bundle.id('gone')
    bundle.configure({})
    assert.equal((await bundle.run('run', '-d', gone)).code, 0)
    assert.equal((await bundle.run('kill', gone, 'KILL')).code, 0)
    await until(async () => (await bundle.state(gone)).status === 'stopped', 'its end')
    const other = spawn('sleep', ['300'])
    try {
      const path = join(bundle.root, gone, 'state.json')
      const record = JSON.parse(readFileSync(path, 'utf8')) as object
      writeFileSync(path, JSON.stringify({ ...record, pid: other.pid }))
      assert.deepEqual(await bundle.state(gone).then(({ status, pid }) => [status, pid]), [
        'stopped',
        0,
      ])
      assert.match(message(await bundle.run('kill', gone, 'KILL')), /container not running/)
      assert.equal((await bundle.run('delete', '--force', gone)).code, 0)
      assert.equal(other.exitCode ?? other.signalCode, null)
    } finally {
      other.kill('SIGKILL')
    }
  })
})
