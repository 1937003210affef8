import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Op } from '../ops.ts'
import { CLONE } from './constants.ts'
import { explainProgram } from './explain.ts'
import { changed, input, names, spec, v2 } from './plan-fixture.ts'
import { compileStart } from './start.ts'

test('a root that is a plain directory, read-only, on a ramfs host', () => {
  const own = spec()
  own.root = { path: '', readonly: true }
  const program = compileStart(
    input({ spec: own, rootfs: { kind: 'directory', path: '/bundle/rootfs', mountpoint: '/m' } }),
    { ...v2, rootIsRamfs: true },
  )
  const list = names(program)
  assert.ok(list.includes('bind_root') && !list.includes('overlay'))
  assert.equal(list[list.indexOf('readonly_root') + 1], 'move_root')
  assert.ok(!list.includes('pivot_root'))
})

test('without a mount namespace the mounts stay as they are on the host, and the root is changed by chroot', () => {
  const program = compileStart(
    input({
      spec: changed((own) => {
        const { namespaces = [] } = own.linux ?? {}
        if (own.linux) own.linux.namespaces = namespaces.filter(({ type }) => type !== 'mount')
      }).spec,
      rootfs: { kind: 'directory', path: '/bundle/rootfs', mountpoint: '/bundle/rootfs' },
    }),
    v2,
  )
  const list = names(program)
  assert.ok(list.includes('chroot') && !list.includes('pivot_root'))
  assert.ok(!list.includes('propagation'))
})

test('a mount namespace that exists is entered before anything is mounted', () => {
  const program = compileStart(
    changed((own) => {
      for (const one of own.linux?.namespaces ?? []) {
        if (one.type === 'mount') one.path = '/run/ns/mnt'
      }
    }),
    v2,
  )
  const list = names(program)
  const open = program.find((op) => op.op === 'open' && op.path === '/run/ns/mnt')
  const enter = program.findIndex((op) => op.op === 'setns' && op.type === CLONE.CLONE_NEWNS)
  const clone = program.find((op) => op.op === 'clone')
  assert.ok(open !== undefined && enter > 0 && clone?.op === 'clone')
  assert.equal(clone.flags & CLONE.CLONE_NEWNS, 0n)
  assert.ok(enter < list.indexOf('propagation') && list.includes('pivot_root'))
})

test('a mapped bind of what an earlier mount has put into the root is copied from the child', () => {
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const mapped = { type: 'bind', options: ['rbind'], uidMappings: maps, gidMappings: maps }
  const program = compileStart(
    input({
      spec: changed((own) => {
        own.mounts = [
          { ...mapped, source: '/data', destination: '/a' },
          { ...mapped, source: '/bundle/rootfs/a', destination: '/b' },
        ]
      }).spec,
      rootfs: { kind: 'directory', path: '/bundle/rootfs', mountpoint: '/bundle/rootfs' },
    }),
    v2,
  )
  const trees = program.filter(({ op }) => /tree|attach|clone/.test(op)).map(({ op }) => op)
  assert.deepEqual(trees, ['tree', 'clone', 'attach', 'child_tree', 'attach'])
})

test('an overlay is volatile only where something can be written', () => {
  const dataOf = (upper: string): string => {
    const [isVolatile, work] = [true, upper && 'w']
    const rootfs = { kind: 'overlay', base: '/b', lower: ['a', 'b'], mountpoint: '/m' } as const
    const program = compileStart(input({ rootfs: { ...rootfs, upper, work, isVolatile } }), v2)
    const overlay = program.find((op) => op.op === 'overlay')
    return overlay?.op === 'overlay' ? overlay.data : ''
  }
  assert.match(dataOf('u'), /,volatile$/)
  assert.doesNotMatch(dataOf(''), /volatile/)
})

test('overlay data keeps odd paths apart and can do without an upper layer', () => {
  const data = (lower: string[], upper: string): Op | undefined =>
    compileStart(
      input({
        rootfs: { kind: 'overlay', base: '/b', lower, upper, work: upper && 'w', mountpoint: '/m' },
      }),
      v2,
    ).find((op) => op.op === 'overlay' || op.op === 'bind_root')
  const odd = data(['a:b', 'c,d'], 'u,p')
  assert.ok(odd?.op === 'overlay')
  assert.match(odd.data, /^lowerdir=a\\:b:c\\,d,upperdir=u\\,p,workdir=w,/)
  const readonly = data(['a', 'b'], '')
  assert.ok(readonly?.op === 'overlay')
  assert.doesNotMatch(readonly.data, /upperdir/)
  assert.deepEqual(data(['a'], ''), { op: 'bind_root', source: '/b/a', target: '/m' })
})

test('/dev that is read-only becomes so when its nodes are made', () => {
  const program = compileStart(
    changed((own) => {
      own.mounts = [
        {
          destination: '/dev',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['ro', 'nosuid', 'mode=755'],
        },
      ]
    }),
    v2,
  )
  const text = explainProgram(program).split('\n')
  assert.match(text.find((line) => line.includes('"/dev", "tmpfs"')) ?? '', /MS_NOSUID, "mode=755"/)
  assert.match(
    text.at(names(program).indexOf('mkdir') - 1) ?? '',
    /"\/dev", "", MS_RDONLY\|MS_NOSUID\|MS_REMOUNT\|MS_BIND/,
  )
})
test('SELinux labels are for the process and for filesystems without labels of their own', () => {
  const label = 'system_u:object_r:box_t:s0:c1,c2'
  const process = 'system_u:system_r:box_t:s0:c1,c2'
  const program = compileStart(
    changed((own) => {
      if (own.process) own.process.selinuxLabel = process
      if (own.linux) own.linux.mountLabel = label
    }),
    { ...v2, seLinux: true },
  )
  assert.deepEqual(
    program.filter((op) => op.op === 'label'),
    [
      // Of the keyring, which is made before.
      { op: 'label', name: 'keycreate', value: process, optional: true },
      { op: 'label', name: 'exec', value: process },
    ],
  )
  // It takes no context=.
  const queues = program.findIndex((op) => op.op === 'file_label')
  assert.deepEqual(program[queues], { op: 'file_label', path: '/dev/mqueue', value: label })
  const mount = program[queues - 1]
  assert.ok(mount?.op === 'mount' && mount.type === 'mqueue')
  const overlay = program.find((op) => op.op === 'overlay')
  assert.ok(overlay?.data.endsWith(`,context="${label}"`))
  for (const op of program) {
    if (op.op !== 'mount' || op.type === 'overlay') continue
    const isLabelled = op.data.endsWith(`context="${label}"`)
    assert.equal(isLabelled, ['tmpfs', 'devpts'].includes(op.type), `${op.type} ${op.data}`)
  }
})

test('operations after the mounts come before the change of root, with the host still in sight', () => {
  const file: Op = {
    op: 'file',
    path: '/run/x',
    data: Buffer.from('x'),
    mode: 0o444,
    uid: 0,
    gid: 0,
  }
  const order = names(compileStart(input({ afterMounts: [file] }), v2))
  const at = order.indexOf('file')
  assert.ok(at > order.lastIndexOf('bind') || order.lastIndexOf('bind') === -1)
  assert.ok(at > order.indexOf('root') && at < order.indexOf('pivot_root'), order.join())
})
