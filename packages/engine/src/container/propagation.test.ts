import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mountOf } from './propagation.ts'

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
