import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { RuntimeNamespace, RuntimeSpec } from '@ctr/oci'
import { defaultConfig } from '../src/default-config.ts'
import { message, SUITE_MS, TestBundle } from './bundle.ts'

const DEFAULTS = defaultConfig({ isRootless: false })
const MAPS = [{ containerID: 0, hostID: 100_000, size: 1000 }]
const MAPPED = { uidMappings: MAPS, gidMappings: MAPS }

/** Requires root. As the runc suite's userns.bats. */
describe('a user namespace by its path', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  let target = ''
  let pid = 0
  /** A file that the namespace is bound on, and a network namespace that is not its own. */
  let users = ''
  let network = ''
  before(async () => {
    bundle = new TestBundle()
    chownSync(join(bundle.dir, 'rootfs'), 100_000, 100_000)
    target = bundle.id('target')
    configure([{ type: 'user' }], MAPPED, ['sleep', '300'])
    assert.equal((await bundle.run('run', '-d', target)).code, 0)
    pid = (await bundle.state(target)).pid
    users = join(bundle.dir, 'users')
    network = join(bundle.dir, 'network')
    for (const path of [users, network]) writeFileSync(path, '')
    execFileSync('mount', ['--bind', `/proc/${pid}/ns/user`, users])
    execFileSync('unshare', ['-n', 'mount', '--bind', '/proc/self/ns/net', network])
  })
  after(async () => {
    for (const path of [users, network]) execFileSync('umount', [path])
    await bundle.run('delete', '--force', target)
    bundle[Symbol.dispose]()
  })

  /** The default namespaces, with these instead of those of the same type. */
  function configure(own: RuntimeNamespace[], linux: RuntimeSpec['linux'], args: string[]): void {
    const others = (DEFAULTS.linux?.namespaces ?? []).filter(
      ({ type }) => !own.some((one) => one.type === type),
    )
    bundle.configure(
      { linux: { ...DEFAULTS.linux, namespaces: [...others, ...own], ...linux } },
      { args },
    )
  }

  for (const [name, path] of [
    ['of a process', () => `/proc/${pid}/ns/user`],
    ['bound on a file', () => users],
  ] as const) {
    it(`${name} is joined, and owns the new namespaces`, async () => {
      const script = 'hostname && cat /proc/self/uid_map && readlink /proc/self/ns/user'
      configure([{ type: 'user', path: path() }], { resources: {} }, ['sh', '-c', script])
      const { stdout, code, stderr } = await bundle.run('run', bundle.id('joined'))
      assert.equal(code, 0, stderr)
      assert.match(stdout, /^runc\n\s*0\s+100000\s+1000\nuser:\[\d+\]\n$/)
      assert.match(stdout, new RegExp(readlinkSync(`/proc/${pid}/ns/user`).replace(/[[\]]/g, '.')))
    })
  }

  it('with all other namespaces of the container, and its processes', async () => {
    const files = { user: 'user', pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts' } as const
    const own = Object.entries(files).map(([type, file]) => ({
      type: type as keyof typeof files,
      path: `/proc/${pid}/ns/${file}`,
    }))
    configure(own, {}, ['sh', '-c', 'ps -o args | grep -c "[s]leep 300"'])
    const { stdout, stderr } = await bundle.run('run', bundle.id('all'))
    assert.deepEqual([stdout, stderr], ['1\n', ''])
  })

  it('beside a network namespace that is not its own', async () => {
    const own: RuntimeNamespace[] = [
      { type: 'user', path: users },
      { type: 'network', path: network },
    ]
    configure(own, {}, ['readlink', '/proc/self/ns/net'])
    const withoutSysfs = (DEFAULTS.mounts ?? []).filter(({ type }) => type !== 'sysfs')
    const config = JSON.parse(readFileSync(join(bundle.dir, 'config.json'), 'utf8')) as RuntimeSpec
    config.mounts = withoutSysfs.filter(({ destination }) => !destination.startsWith('/sys/'))
    writeFileSync(join(bundle.dir, 'config.json'), JSON.stringify(config))
    const { stdout, stderr, code } = await bundle.run('run', bundle.id('net'))
    assert.equal(code, 0, stderr)
    const theirs = execFileSync('nsenter', [`--net=${network}`, 'readlink', '/proc/self/ns/net'])
    assert.equal(stdout, String(theirs))
  })

  it('with maps that are not its own is refused', async () => {
    const others = [{ containerID: 0, hostID: 5, size: 1 }]
    const linux = { uidMappings: others, gidMappings: others }
    configure([{ type: 'user', path: users }], linux, ['true'])
    const result = await bundle.run('run', bundle.id('maps'))
    assert.match(message(result), /do not match those of the user namespace/)
    configure([{ type: 'user', path: '/etc/passwd' }], {}, ['true'])
    assert.match(message(await bundle.run('run', bundle.id('none'))), /\/etc\/passwd: EINVAL/)
  })
})
