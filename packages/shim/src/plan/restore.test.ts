import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HostFacts, readHostFacts } from '@ctr/linux'
import { defaultMounts, defaultNamespaces, type RuntimeSpec } from '@ctr/oci'
import type { Op, OpName } from '../ops.ts'
import { CLONE } from './constants.ts'
import type { RestoreInput, StartInput } from './input.ts'
import { compileRestore } from './restore.ts'

const host: HostFacts = readHostFacts()

const spec: RuntimeSpec = {
  ociVersion: '1.2.0',
  process: { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } },
  mounts: [
    ...defaultMounts(),
    { destination: '/etc/hosts', type: 'bind', source: '/data/hosts', options: ['rbind'] },
  ],
  linux: {
    namespaces: defaultNamespaces({ hasCgroupNamespace: false }),
    maskedPaths: ['/proc/keys'],
    sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '8192' },
  },
}

const input: StartInput = {
  spec,
  containerId: 'abc',
  runtimeDir: '/run/ctr/c/abc',
  rootfs: {
    kind: 'overlay',
    base: '/data',
    lower: ['snapshots/2', 'snapshots/1'],
    upper: 'containers/abc/upper',
    work: 'containers/abc/work',
    mountpoint: '/run/ctr/rootfs',
  },
  log: undefined,
  stdio: { stdin: false, tty: false, stdinOnce: false, rows: 0, columns: 0 },
  expectAttach: 0,
  waitForStart: false,
  seccompFilter: undefined,
  network: { hostOps: [], childOps: [], forwards: [] },
  cgroupParent: '/ctr',
}

const plug: Op = {
  op: 'netlink',
  side: 'host',
  message: Buffer.alloc(16),
  pid_offset: 0,
  ignore: 0,
}
const restore: RestoreInput = {
  args: ['/criu', 'restore'],
  env: [],
  pidFile: '/run/ctr/c/abc/pid',
  mounts: ['/etc/hosts', '/proc/keys'],
  afterwards: [plug],
}

function only<N extends OpName>(name: N, program = compileRestore(input, restore, host)) {
  return program.filter((op): op is Op & { op: N } => op.op === name)
}

test('criu makes all namespaces but those of mounts and network', () => {
  assert.equal(only('clone')[0]?.flags, CLONE.CLONE_NEWNS | CLONE.CLONE_NEWNET)
  assert.deepEqual(
    only('sysctl').map(({ key }) => key),
    ['net.ipv4.ip_forward'],
  )
})

test('criu is the last of what the child does, and ends in the tree that was made for it', () => {
  const program = compileRestore(input, restore, host)
  assert.equal(program.at(-1), plug)
  const criu = program.at(-2)
  assert.ok(criu?.op === 'restore')
  assert.deepEqual(criu.args, [
    '/criu',
    'restore',
    '--pidfile',
    '/run/ctr/c/abc/pid',
    '--root',
    '/run/ctr/rootfs/root',
    '--external',
    'mnt[/etc/hosts]:/run/ctr/rootfs/ext/0',
    '--external',
    'mnt[/proc/keys]:/run/ctr/rootfs/ext/1',
  ])
  const names = new Set<OpName>(program.map(({ op }) => op))
  for (const never of ['exec', 'pivot_root', 'seccomp', 'user', 'console'] as const) {
    assert.ok(!names.has(never), never)
  }
})

test('mounts come from the second view of the root; what was masked is masked again', () => {
  const sources = only('bind')
    .filter(({ target }) => target.startsWith('/ext/'))
    .map(({ source, target }) => [target, source])
  assert.deepEqual(sources, [
    ['/ext/0', '/tree/etc/hosts'],
    ['/ext/1', '/tree/dev/null'],
  ])
  assert.deepEqual(
    only('root').map(({ path }) => path),
    ['', '', '/root', '/tree', ''].map((end) => `/run/ctr/rootfs${end}`),
  )
})

test('a terminal is asked for on the socket', () => {
  const asked: RestoreInput = { ...restore, request: ({ root }) => Buffer.from(root) }
  const tty = { ...input, stdio: { ...input.stdio, tty: true } }
  const [op] = only('restore', compileRestore(tty, asked, host))
  assert.deepEqual(op?.args, ['/criu', 'swrk', '7'])
  assert.equal(Buffer.from(op.request).toString(), '/run/ctr/rootfs/root')
  assert.equal(only('restore', compileRestore(input, asked, host))[0]?.request.length, 0)
})

test('a user namespace is refused', () => {
  const namespaces = [...(spec.linux?.namespaces ?? []), { type: 'user' as const }]
  const own = { ...input, spec: { ...spec, linux: { ...spec.linux, namespaces } } }
  assert.throws(() => compileRestore(own, restore, host), /user namespace of its own/)
})

test('without a mount namespace of its own it is refused: criu would mount on the host', () => {
  for (const namespaces of [[], [{ type: 'mount' as const, path: '/proc/1/ns/mnt' }]]) {
    const own = { ...spec, linux: { ...spec.linux, namespaces } }
    assert.throws(() => compileRestore({ ...input, spec: own }, restore, host), {
      message: 'a restore needs a mount namespace of its own',
    })
  }
})
