import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMountInfo } from '../mountinfo.ts'
import { killCgroup, removeCgroup } from './control.ts'
import { cgroupDirectory, findHierarchy, parseCgroupLayout } from './layout.ts'

const V1_COMOUNTED = `
31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
35 31 0:31 / /mnt/again rw - cgroup cgroup rw,memory
`
const V2 = '29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n'

test('a v1 layout has one hierarchy for co-mounted controllers and for a second mount', () => {
  const layout = parseCgroupLayout(
    parseMountInfo(V1_COMOUNTED),
    '3:memory:/a:b\n2:cpu,cpuacct:/x\n1:name=systemd:/\n',
    () => '',
  )
  assert.equal(layout.mode, 'v1')
  assert.deepEqual(
    layout.hierarchies.map((one) => one.controllers),
    [['name=systemd'], ['cpu', 'cpuacct'], ['memory']],
  )
  assert.equal(findHierarchy(layout, 'cpuacct')?.mountpoint, '/sys/fs/cgroup/cpu,cpuacct')
  assert.equal(findHierarchy(layout, 'memory')?.own, '/a:b')
  assert.equal(findHierarchy(layout, 'pids'), undefined)
})

test('a v2 layout has one hierarchy with the controllers that are offered', () => {
  const layout = parseCgroupLayout(parseMountInfo(V2), '0::/user.slice\n', () => 'cpu io memory\n')
  assert.equal(layout.mode, 'v2')
  assert.deepEqual(findHierarchy(layout, 'memory'), {
    version: 2,
    controllers: ['cpu', 'io', 'memory'],
    mountpoint: '/sys/fs/cgroup',
    root: '/',
    own: '/user.slice',
  })
})

test('a hybrid layout keeps the v2 hierarchy last', () => {
  const text = `36 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n${V1_COMOUNTED}`
  const layout = parseCgroupLayout(parseMountInfo(text), '', () => '')
  assert.equal(layout.mode, 'hybrid')
  assert.equal(layout.hierarchies.at(-1)?.version, 2)
})

test('inside a container our own cgroup is relative to what the mount shows', () => {
  const mounts = parseMountInfo('29 23 0:26 /docker/abc /cg rw - cgroup cgroup rw,memory\n')
  const layout = (own: string): string | undefined =>
    parseCgroupLayout(mounts, `1:memory:${own}\n`, () => '').hierarchies[0]?.own
  assert.equal(layout('/docker/abc/x'), '/x')
  assert.equal(layout('/docker/abc'), '/')
  assert.equal(layout('/elsewhere'), '/')
})

test('a cgroup path never leaves its hierarchy', () => {
  const [hierarchy] = parseCgroupLayout(parseMountInfo(V2), '', () => '').hierarchies
  assert.ok(hierarchy)
  assert.equal(cgroupDirectory(hierarchy, '/ctr/abc'), '/sys/fs/cgroup/ctr/abc')
  assert.equal(cgroupDirectory(hierarchy, '/../../etc'), '/sys/fs/cgroup/etc')
  assert.equal(cgroupDirectory(hierarchy, '/'), '/sys/fs/cgroup')
})

test('mountinfo escapes are undone', () => {
  const [mount] = parseMountInfo(
    '1 0 8:1 / /a\\040b\\134c rw shared:1 master:2 - ext4 /dev/x\\011 rw\n',
  )
  assert.equal(mount?.mountpoint, '/a b\\c')
  assert.equal(mount?.source, '/dev/x\t')
  assert.deepEqual(mount?.propagation, ['shared:1', 'master:2'])
})

test('the root of a hierarchy is never killed or removed', async () => {
  // No hierarchies: were the path not refused, nothing would happen.
  const layout = { mode: 'v2', hierarchies: [] } as const
  for (const path of ['/', '', '.', '/a/..', '/..']) {
    await assert.rejects(removeCgroup(layout, path), RangeError)
    await assert.rejects(killCgroup(layout, path), RangeError)
  }
})
