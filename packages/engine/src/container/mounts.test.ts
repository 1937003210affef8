import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HostConfig } from '@ctr/api'
import { parseBind } from './bind-spec.ts'
import { planMounts } from './mounts.ts'
import { mergeTmpfsOptions } from './tmpfs-options.ts'

const none = (): never => {
  throw new Error('no container')
}

describe('mounts', () => {
  test('the forms of -v', () => {
    const parse = (text: string): unknown[] => {
      const { source, destination, mode, options } = parseBind(text)
      return [source, destination, mode, options.readOnly, options.noCopy, options.propagation]
    }
    assert.deepEqual(parse('/a:/b'), ['/a', '/b', '', false, false, ''])
    assert.deepEqual(parse('/a/../c:/b/'), ['/c', '/b', '', false, false, ''])
    assert.deepEqual(parse('vol:/b:ro,nocopy'), ['vol', '/b', 'ro,nocopy', true, true, ''])
    assert.deepEqual(parse('/a:/b:rslave,z'), ['/a', '/b', 'rslave,z', false, false, 'rslave'])
    assert.deepEqual(parse('/b'), ['', '/b', '', false, false, ''])
  })

  test('what -v cannot be', () => {
    for (const text of [
      '',
      ':',
      '/a:',
      ':/b',
      '/b:ro',
      'a:b:c:d',
      '/a:b',
      '/a:/',
      '/a:/..',
      '/a:/b:ro,rw',
      '/a:/b:ro,ro',
      '/a:/b:xx',
      'rel',
    ]) {
      assert.throws(() => parseBind(text), /invalid/, text)
    }
  })

  test('explicit mounts must not meet, image volumes give way', () => {
    const config = { Volumes: { '/data': {}, '/other': {} } }
    const plan = planMounts(config, { Binds: ['/h:/data'] }, none)
    assert.deepEqual(
      plan.map(({ kind, mount }) => [kind, mount.type, mount.destination, mount.isAnonymous]),
      [
        ['ready', 'bind', '/data', false],
        ['volume', 'volume', '/other', true],
      ],
    )
    const mount = { Type: 'tmpfs', Target: '/x/' }
    assert.throws(
      () => planMounts({}, { Binds: ['/h:/x'], Mounts: [mount] }, none),
      /Duplicate mount point: \/x/,
    )
    assert.throws(
      () => planMounts({}, { Binds: ['/h:/x'], Tmpfs: { '/x': '' } }, none),
      /Duplicate mount point: \/x/,
    )
  })

  test('a destination that no filesystem could have is refused', () => {
    const long = /: file name too long$/
    for (const path of [`/a/${'n'.repeat(256)}`, `/${'ä'.repeat(128)}/b`, '/d'.repeat(2048)]) {
      assert.throws(() => planMounts({}, { Binds: [`/h:${path}`] }, none), long)
      assert.throws(() => planMounts({}, { Tmpfs: { [path]: '' } }, none), long)
      assert.throws(() => planMounts({ Volumes: { [path]: {} } }, {}, none), long)
      const mount = { Type: 'volume', Source: 'v', Target: path } as const
      assert.throws(() => planMounts({}, { Mounts: [mount] }, none), long)
    }
    assert.equal(planMounts({}, { Binds: [`/h:/a/${'n'.repeat(255)}`] }, none).length, 1)
  })

  test('--mount is checked field by field', () => {
    for (const [mount, words] of [
      [{ Type: 'bind', Target: '/x' }, /type "bind": field Source must not be empty/],
      [{ Type: 'volume', Source: 'v' }, /type "volume": field Target must not be empty/],
      [{ Type: 'tmpfs', Source: 'v', Target: '/x' }, /field Source must not be specified/],
      [{ Type: 'nope', Target: '/x' }, /type "nope": mount type unknown/],
      [{ Type: 'volume', Target: '/x', ReadOnly: true }, /must not set ReadOnly mode/],
      [
        { Type: 'bind', Source: '/s', Target: '/x', BindOptions: { Propagation: 'p' } },
        /invalid propagation mode: p/,
      ],
      [
        { Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: '../up' } },
        /subpath/,
      ],
      [{ Type: 'bind', Source: 'rel', Target: '/x' }, /mount path must be absolute/],
    ] as const) {
      assert.throws(() => planMounts({}, { Mounts: [mount] }, none), words)
    }
  })

  test('--volumes-from takes binds and volumes, read-only on demand', () => {
    const [source] = planMounts({}, { Binds: ['/h:/data'] }, none)
    assert.ok(source)
    const plan = planMounts({}, { VolumesFrom: ['c:ro'] }, (reference) => {
      assert.equal(reference, 'c')
      return { mounts: [source.mount] }
    })
    assert.deepEqual(
      plan.map(({ mount }) => [mount.destination, mount.readOnly]),
      [['/data', true]],
    )
    assert.throws(() => planMounts({}, { VolumesFrom: ['c:x'] }, none), /invalid mode/)
    assert.throws(
      () => planMounts({}, { VolumesFrom: [''] }, none),
      /volumes-from specification cannot be an empty string/,
    )
  })

  test('of a path of the host nothing is copied: nocopy is refused', () => {
    assert.throws(
      () => planMounts({}, { Binds: ['/h:/a:nocopy'] }, none),
      /'\/h:\/a:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified/,
    )
  })

  test('a named volume has no propagation, in either way of saying it', () => {
    assert.throws(
      () => planMounts({}, { Binds: ['data:/a:shared'] }, none),
      /invalid volume specification: 'data:\/a:shared': invalid mount config for type "volume": field BindOptions must not be specified/,
    )
    planMounts({}, { Binds: ['/data:/a:shared'] }, none)
  })

  test('for old clients read-only means the top mount of a bind, but for those of other containers', () => {
    const hostConfig: HostConfig = {
      Binds: ['/h:/a:ro'],
      Mounts: [{ Type: 'bind', Source: '/h', Target: '/b', ReadOnly: true }],
      VolumesFrom: ['c'],
    }
    const [other] = planMounts({}, { Binds: ['/h:/c:ro'] }, none)
    assert.ok(other)
    const plan = planMounts({}, hostConfig, () => ({ mounts: [other.mount] }), {
      isReadOnlyNonRecursive: true,
      dataRoot: '/var/lib/ctr',
    })
    assert.deepEqual(
      plan.map(({ mount }) => [mount.destination, mount.isReadOnlyNonRecursive]),
      [
        ['/c', false],
        ['/a', true],
        ['/b', true],
      ],
    )
  })

  test('of contrary tmpfs words the last one holds', () => {
    assert.throws(() => mergeTmpfsOptions(['foo']), { message: 'invalid tmpfs option "foo"' })
    assert.deepEqual(mergeTmpfsOptions(['noexec', 'nosuid', 'size=1m', 'exec', 'size=2m']), [
      'nosuid',
      'exec',
      'size=2m',
    ])
  })
})
