import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOUNT_ATTR, MS } from './constants.ts'
import { type MountOptions, parseMountOptions } from './mount-options.ts'

const ROWS: readonly [words: string, expected: Partial<MountOptions>][] = [
  ['', { flags: 0n, bind: 'none', propagation: 0n, data: '' }],
  ['nosuid,noexec,nodev', { flags: MS.MS_NOSUID | MS.MS_NOEXEC | MS.MS_NODEV, data: '' }],
  ['ro,rw', { flags: 0n, attributes: 0n }],
  ['rw,ro', { flags: MS.MS_RDONLY, attributes: MOUNT_ATTR.MOUNT_ATTR_RDONLY }],
  ['mode=755,size=64k,strictatime', { flags: MS.MS_STRICTATIME, data: 'mode=755,size=64k' }],
  ['bind,ro', { bind: 'single', attributes: MOUNT_ATTR.MOUNT_ATTR_RDONLY }],
  ['rbind,rprivate', { bind: 'recursive', propagation: MS.MS_PRIVATE | MS.MS_REC }],
  ['slave', { propagation: MS.MS_SLAVE }],
  ['rshared,rslave', { propagation: MS.MS_SLAVE | MS.MS_REC }],
  [
    'rbind,rro',
    { bind: 'recursive', recursiveAttributes: MOUNT_ATTR.MOUNT_ATTR_RDONLY, attributes: 0n },
  ],
  ['rro,rrw', { recursiveAttributes: 0n, recursiveClears: MOUNT_ATTR.MOUNT_ATTR_RDONLY }],
  ['rrw,rro', { recursiveAttributes: MOUNT_ATTR.MOUNT_ATTR_RDONLY, recursiveClears: 0n }],
  ['rnoatime', { recursiveAttributes: MOUNT_ATTR.MOUNT_ATTR_NOATIME, recursiveClears: 0x70n }],
  ['rrelatime', { recursiveAttributes: 0n, recursiveClears: 0x70n }],
  ['bind', { hasFlags: false, clears: 0n }],
  ['bind,rw,exec', { hasFlags: true, clears: 0x9n }],
  ['bind,nosuid,suid,nosuid', { hasFlags: true, clears: 0n, attributes: 0x2n }],
  // mount(2) keeps the times of access unless one of its words is there, and then replaces all of them.
  ['bind,atime,norelatime', { hasFlags: true, clears: 0n, attributes: 0n }],
  ['bind,relatime', { clears: 0x70n | MOUNT_ATTR.MOUNT_ATTR_NODIRATIME, attributes: 0n }],
  ['bind,nodiratime', { clears: 0x70n, attributes: MOUNT_ATTR.MOUNT_ATTR_NODIRATIME }],
  ['bind,noatime,strictatime', { attributes: MOUNT_ATTR.MOUNT_ATTR_STRICTATIME }],
  [
    'rnosuid,rnoatime',
    { recursiveAttributes: MOUNT_ATTR.MOUNT_ATTR_NOSUID | MOUNT_ATTR.MOUNT_ATTR_NOATIME },
  ],
  ['defaults,relatime,nofail,tmpcopyup', { flags: MS.MS_RELATIME, data: '' }],
  ['size=1m,constructor,__proto__', { flags: 0n, data: 'size=1m,constructor,__proto__' }],
]

for (const [words, expected] of ROWS) {
  test(`mount options ${words || '(none)'}`, () => {
    assert.partialDeepStrictEqual(parseMountOptions(words.split(',')), expected)
  })
}

test('idmap asks for the ids of a bind to be mapped', () => {
  assert.equal(parseMountOptions(['rbind', 'idmap']).isIdMapped, true)
  assert.equal(parseMountOptions(['rbind', 'idmap']).isMappedRecursively, false)
  assert.equal(parseMountOptions(['rbind', 'ridmap']).isMappedRecursively, true)
  assert.equal(parseMountOptions(['rbind']).isIdMapped, false)
})
