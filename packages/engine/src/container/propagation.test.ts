import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choosePropagation, mountOf, usablePropagation } from './propagation.ts'

const MOUNTINFO = `1 0 8:1 / / rw shared:1 - ext4 /dev/a rw
2 1 0:5 / /mnt rw,nosuid - tmpfs tmpfs rw
3 1 0:6 / /mnt/a\\040b rw master:1 - tmpfs tmpfs rw
4 2 0:7 / /mnt rw shared:7 master:2 - tmpfs tmpfs rw
`

test('a path is on the nearest mount above it', () => {
  assert.deepEqual(mountOf(MOUNTINFO, '/etc/x'), { path: '/', fields: 'shared:1' })
  assert.deepEqual(mountOf(MOUNTINFO, '/mntx'), { path: '/', fields: 'shared:1' })
  assert.deepEqual(mountOf(MOUNTINFO, '/mnt/a b/c'), { path: '/mnt/a b', fields: 'master:1' })
  assert.deepEqual(mountOf(MOUNTINFO, '/mnt/x'), { path: '/mnt', fields: 'shared:7 master:2' })
})

test('a bind mount of the data root, or of what it lies in, follows the mounts of the host', () => {
  const choose = (source: string, asked: string) => choosePropagation(source, asked, '/var/lib/ctr')
  for (const source of ['/', '/var', '/var/lib/ctr', '/var/lib/ctr/volumes']) {
    assert.equal(choose(source, ''), 'rslave', source)
    assert.equal(choose(source, 'rshared'), 'rshared')
    for (const asked of ['private', 'rprivate', 'slave', 'shared']) {
      assert.throws(() => choose(source, asked), {
        code: 'INVALID_ARGUMENT',
        message: `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "/var/lib/ctr", bind mount source: "${source}", propagation: "${asked}"`,
      })
    }
  }
  for (const source of ['/va', '/var/lib/ctr2', '/home']) {
    assert.equal(choose(source, ''), 'rprivate', source)
    assert.equal(choose(source, 'private'), 'private')
  }
})

test('where the host passes no mounts on, what follows them by default starts all the same', () => {
  assert.equal(usablePropagation('/proc', 'rslave', '/proc/x'), 'rprivate')
  assert.throws(() => usablePropagation('/proc', 'rslave', '/var/lib/ctr'), /not a shared or slave/)
})
