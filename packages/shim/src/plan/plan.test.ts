import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HostFacts } from '@ctr/linux'
import { DEFAULT_CAPABILITIES, defaultMounts, defaultNamespaces, type RuntimeSpec } from '@ctr/oci'
import type { Op, OpName, Program } from '../ops.ts'
import { compileExec } from './exec.ts'
import { explainProgram } from './explain.ts'
import type { StartInput } from './input.ts'
import { compileStart } from './start.ts'

const v2: HostFacts = {
  cgroups: {
    mode: 'v2',
    hierarchies: [
      {
        version: 2,
        controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'],
        mountpoint: '/sys/fs/cgroup',
        root: '/',
        own: '/',
      },
    ],
  },
  lastCapability: 40,
  heldCapabilities: 2n ** 41n - 1n,
  kernel: { major: 6, minor: 1 },
  arch: 'x64',
  hasSwapAccounting: true,
  onlineCpus: '0-3',
  onlineMems: '0',
  hasRealtimeGroups: false,
  hasBlockIoWeight: true,
  appArmor: false,
  seLinux: false,
  hasKcore: true,
  rootIsRamfs: false,
}

const v1: HostFacts = {
  ...v2,
  cgroups: {
    mode: 'v1',
    hierarchies: [['name=systemd'], ['cpu', 'cpuacct'], ['cpuset'], ['memory'], ['devices']].map(
      (controllers) => ({
        version: 1,
        controllers,
        mountpoint: `/sys/fs/cgroup/${controllers[0] === 'name=systemd' ? 'systemd' : controllers.join(',')}`,
        root: '/',
        own: '/',
      }),
    ),
  },
}

function spec(): RuntimeSpec {
  const capabilities = [...DEFAULT_CAPABILITIES]
  return {
    ociVersion: '1.2.0',
    process: {
      args: ['sh'],
      env: ['PATH=/bin'],
      cwd: '/work',
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: '' },
    hostname: 'box',
    mounts: defaultMounts(),
    linux: {
      namespaces: defaultNamespaces({ hasCgroupNamespace: true }),
      maskedPaths: ['/proc/keys'],
      readonlyPaths: ['/proc/sys'],
      resources: { memory: { limit: 1024, swap: 2048 }, devices: [{ allow: false }] },
      sysctl: { 'net.ipv4.ip_forward': '1' },
    },
  }
}

function input(change: Partial<StartInput> = {}): StartInput {
  return {
    spec: spec(),
    containerId: 'abc',
    runtimeDir: '/run/ctr/c/abc',
    rootfs: {
      kind: 'overlay',
      base: '/var/lib/ctr',
      lower: ['snapshots/2', 'snapshots/1'],
      upper: 'containers/abc/upper',
      work: 'containers/abc/work',
      mountpoint: '/run/ctr/rootfs',
    },
    log: { path: '/log', maxBytes: 100, maxFiles: 2, compress: true, extra: '' },
    stdio: { stdin: false, tty: false, stdinOnce: false, rows: 0, columns: 0 },
    expectAttach: 0,
    waitForStart: false,
    seccompFilter: new Uint8Array(16),
    network: { hostOps: [], childOps: [], forwards: [] },
    cgroupParent: '/ctr',
    ...change,
  }
}

function changed(change: (spec: RuntimeSpec) => void): StartInput {
  const own = spec()
  change(own)
  return input({ spec: own })
}

function names(program: Program): OpName[] {
  return program.map((op) => op.op)
}

function only<N extends OpName>(program: Program, name: N): (Op & { op: N })[] {
  return program.filter((op): op is Op & { op: N } => op.op === name)
}

test('the default program on cgroup v2', () => {
  assert.equal(
    explainProgram(compileStart(input(), v2)),
    ` 1 host  runtime_dir("/run/ctr/c/abc")
 2 host  log_json("/log", 100, 2, 1, "")
 3 host  stdio(0, 0, 0, 0, 0)
 4 host  cgroup("/sys/fs/cgroup/ctr/abc")
 5 host  write("/sys/fs/cgroup/ctr/abc/memory.max", "1024")
 6 host  write?("/sys/fs/cgroup/ctr/abc/memory.swap.max", "1024")
 7 host  device_bpf("/sys/fs/cgroup/ctr/abc", 8 instructions)
 8 host  oom_watch?("/sys/fs/cgroup/ctr/abc", 2)
 9 host  clone(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWNET, "/sys/fs/cgroup/ctr/abc")
10 child unshare(CLONE_NEWCGROUP)
11 child keyring?("_ses.abc")
12 child propagation("/", MS_REC|MS_PRIVATE)
13 child overlay("overlay", "/run/ctr/rootfs", "lowerdir=snapshots/2:snapshots/1,upperdir=containers/abc/upper,workdir=containers/abc/work,index=off,redirect_dir=nofollow,metacopy=off", in "/var/lib/ctr")
14 child root("/run/ctr/rootfs")
15 child mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
16 child mount("tmpfs", "/dev", "tmpfs", MS_NOSUID|MS_STRICTATIME, "mode=755,size=65536k")
17 child mount("devpts", "/dev/pts", "devpts", MS_NOSUID|MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
18 child mount("sysfs", "/sys", "sysfs", MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
19 child mount("cgroup", "/sys/fs/cgroup", "cgroup2", MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
20 child mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
21 child mount("shm", "/dev/shm", "tmpfs", MS_NOSUID|MS_NODEV|MS_NOEXEC, "mode=1777,size=67108864")
22 child mknod("/dev/null", S_IFCHR|0666, makedev(1, 3), 0:0)
23 child mknod("/dev/random", S_IFCHR|0666, makedev(1, 8), 0:0)
24 child mknod("/dev/full", S_IFCHR|0666, makedev(1, 7), 0:0)
25 child mknod("/dev/tty", S_IFCHR|0666, makedev(5, 0), 0:0)
26 child mknod("/dev/zero", S_IFCHR|0666, makedev(1, 5), 0:0)
27 child mknod("/dev/urandom", S_IFCHR|0666, makedev(1, 9), 0:0)
28 child symlink("pts/ptmx", "/dev/ptmx")
29 child symlink("/proc/self/fd", "/dev/fd")
30 child symlink("/proc/self/fd/0", "/dev/stdin")
31 child symlink("/proc/self/fd/1", "/dev/stdout")
32 child symlink("/proc/self/fd/2", "/dev/stderr")
33 child symlink("/proc/kcore", "/dev/core")
34 child mkdir("/work", 0755, 0:0)
35 child pivot_root()
36 child setsid()
37 child sethostname("box")
38 child sysctl("net.ipv4.ip_forward", "1")
39 child readonly("/proc/sys")
40 child mask("/proc/keys")
41 child umask(022)
42 child chdir("/work")
43 child seccomp(2 instructions, 0x0)
44 child bounding(0xa80425fb)
45 child user(uid 0, gid 0, groups [])
46 child capabilities(effective 0xa80425fb, permitted 0xa80425fb, inheritable 0x0, ambient 0x0)
47 child exec(["sh"], ["PATH=/bin"])
`,
  )
})

test('on cgroup v1 the container enters each hierarchy and sees its own part of it', () => {
  const program = compileStart(
    changed((own) => {
      own.linux = { ...own.linux, namespaces: defaultNamespaces() }
    }),
    v1,
  )
  const text = explainProgram(program)
  assert.deepEqual(
    only(program, 'cgroup').map((op) => op.path),
    ['systemd', 'cpu,cpuacct', 'cpuset', 'memory', 'devices'].map(
      (name) => `/sys/fs/cgroup/${name}/ctr/abc`,
    ),
  )
  assert.match(text, /write\("\/sys\/fs\/cgroup\/cpuset\/ctr\/cpuset.cpus", "0-3"\)/)
  assert.match(text, /write\("\/sys\/fs\/cgroup\/cpuset\/ctr\/abc\/cpuset.mems", "0"\)/)
  assert.match(text, /write\("\/sys\/fs\/cgroup\/devices\/ctr\/abc\/devices.deny", "a"\)/)
  assert.match(
    text,
    /bind\("\/sys\/fs\/cgroup\/cpu,cpuacct\/ctr\/abc", "\/sys\/fs\/cgroup\/cpu,cpuacct"/,
  )
  assert.match(text, /symlink\("cpu,cpuacct", "\/sys\/fs\/cgroup\/cpu"\)/)
  assert.match(text, /symlink\("cpu,cpuacct", "\/sys\/fs\/cgroup\/cpuacct"\)/)
  assert.equal(only(program, 'clone')[0]?.cgroup, '')
})

test('the parent is left alone when its cpuset is given', () => {
  const program = compileStart(input({ cpuset: { cpus: '2', mems: '0' } }), v1)
  const cpusets = only(program, 'write')
    .filter((op) => op.path.includes('cpuset.'))
    .map(
      (op) => `${op.path.replace('/sys/fs/cgroup/cpuset', '')} ${Buffer.from(op.data).toString()}`,
    )
  assert.deepEqual(cpusets, ['/ctr/abc/cpuset.cpus 2', '/ctr/abc/cpuset.mems 0'])
})

describe('the order of the last steps', () => {
  const last = (noNewPrivileges: boolean): OpName[] => {
    const program = compileStart(
      changed((own) => {
        if (own.process !== undefined) own.process.noNewPrivileges = noNewPrivileges
      }),
      v2,
    )
    return names(program).slice(-7)
  }
  test('without no_new_privs the filter comes while we may still set it', () => {
    assert.deepEqual(last(false), [
      'umask',
      'chdir',
      'seccomp',
      'bounding',
      'user',
      'capabilities',
      'exec',
    ])
  })
  test('with no_new_privs the filter comes last', () => {
    assert.deepEqual(last(true), [
      'chdir',
      'no_new_privs',
      'bounding',
      'user',
      'capabilities',
      'seccomp',
      'exec',
    ])
  })
})

test('options of a start each add their operation', () => {
  const program = compileStart(
    input({
      stdio: { stdin: true, tty: true, stdinOnce: true, rows: 24, columns: 80 },
      expectAttach: 1,
      waitForStart: true,
      initBinary: '/opt/ctr-init',
      network: {
        forwards: [
          {
            op: 'forward',
            protocol: 6,
            address: '0.0.0.0',
            port: 80,
            target_address: '172.17.0.2',
            target_port: 80,
          },
        ],
        hostOps: [
          { op: 'netlink', side: 'host', message: new Uint8Array(16), pid_offset: 8, ignore: 0 },
        ],
        childOps: [
          { op: 'netlink', side: 'child', message: new Uint8Array(16), pid_offset: 0, ignore: 0 },
        ],
      },
    }),
    v2,
  )
  const list = names(program)
  const before = (first: OpName, second: OpName): void => {
    assert.ok(
      list.indexOf(first) !== -1 && list.indexOf(first) < list.indexOf(second),
      `${first} ${second}`,
    )
  }
  before('forward', 'clone')
  before('expect_attach', 'clone')
  before('clone', 'netlink')
  before('console', 'pivot_root')
  before('pivot_root', 'setsid')
  before('wait_start', 'user')
  assert.equal(only(program, 'stdio')[0]?.flags, 7)
  assert.deepEqual(only(program, 'exec')[0]?.args, ['/sbin/docker-init', '--', 'sh'])
  assert.deepEqual(
    only(program, 'netlink').map((op) => op.side),
    ['host', 'child'],
  )
})

test('a user namespace that exists is entered before the new namespaces are made', () => {
  const program = compileStart(
    changed((own) => {
      own.linux = {
        ...own.linux,
        namespaces: [
          { type: 'mount' },
          { type: 'uts' },
          { type: 'user', path: '/run/users' },
          { type: 'pid', path: '/proc/7/ns/pid' },
          { type: 'cgroup', path: '/proc/7/ns/cgroup' },
        ],
        uidMappings: [{ containerID: 0, hostID: 1000, size: 100_000 }],
        gidMappings: [{ containerID: 0, hostID: 1000, size: 100_000 }],
      }
    }),
    v2,
  )
  const text = explainProgram(program)
  assert.match(text, /open\(0, "\/run\/users"\)/)
  assert.match(text, /clone_in\(slot 0, CLONE_NEWUSER\)/)
  assert.match(text, /clone_in\(slot 1, CLONE_NEWPID\)/)
  // Membership comes first, and decides what its root is.
  assert.match(text, / setns\(slot 2, CLONE_NEWCGROUP\)/)
  assert.match(text, /clone\(CLONE_NEWNS\|CLONE_NEWUTS,/)
  assert.doesNotMatch(text, /join\(|id_map\(|mknod\(/)
})

test("namespaces are new, the host's, or joined", () => {
  const program = compileStart(
    changed((own) => {
      own.linux = {
        ...own.linux,
        namespaces: [
          { type: 'mount' },
          { type: 'network', path: '/proc/7/ns/net' },
          { type: 'ipc', path: '/proc/7/ns/ipc' },
          { type: 'pid', path: '/proc/7/ns/pid' },
        ],
      }
    }),
    v2,
  )
  const text = explainProgram(program)
  assert.match(text, /open\(0, "\/proc\/7\/ns\/net"\)/)
  assert.match(text, /open\(1, "\/proc\/7\/ns\/ipc"\)/)
  assert.match(text, /join\(7, 0\)/)
  assert.match(text, /clone\(CLONE_NEWNS, /)
  assert.match(text, /setns\(slot 0, CLONE_NEWNET\)/)
  assert.match(text, /setns\(slot 1, CLONE_NEWIPC\)/)
})

test('a user namespace gets its maps before the child goes on, and devices by bind', () => {
  const program = compileStart(
    changed((own) => {
      own.linux?.namespaces?.push({ type: 'user' })
      const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      own.linux = { ...own.linux, uidMappings: map, gidMappings: map }
    }),
    v2,
  )
  assert.equal(only(program, 'id_map')[0]?.uid_map, '0 100000 65536\n')
  assert.deepEqual(only(program, 'mknod'), [])
  assert.ok(
    only(program, 'bind').some((op) => op.source === '/dev/null' && op.target === '/dev/null'),
  )
})

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

const REFUSED: readonly [what: string, change: (own: RuntimeSpec) => void, message: RegExp][] = [
  ['no process', (own) => (own.process = undefined), /no process/],
  ['no command', (own) => own.process && (own.process.args = []), /no command specified/],
  ['a relative directory', (own) => own.process && (own.process.cwd = 'x'), /absolute path/],
  [
    'a mount on the root',
    (own) => own.mounts?.push({ destination: '/.', type: 'tmpfs' }),
    /can't be '\/'/,
  ],
  ['a relative mount', (own) => own.mounts?.push({ destination: 'x', type: 'tmpfs' }), /absolute/],
  [
    'a mount in /proc',
    (own) => own.mounts?.push({ destination: '/proc/../proc/sys', type: 'bind', source: '/x' }),
    /inside \/proc/,
  ],
  [
    'a fake /proc',
    (own) => own.mounts?.push({ destination: '/proc', type: 'tmpfs' }),
    /inside \/proc/,
  ],
  ['no mount namespace', (own) => own.linux && (own.linux.namespaces = []), /mount namespace/],
  ['one namespace twice', (own) => own.linux?.namespaces?.push({ type: 'pid' }), /listed twice/],
  [
    'an unknown namespace',
    (own) => own.linux?.namespaces?.push({ type: 'x' as 'pid' }),
    /unknown namespace/,
  ],
  [
    'a user namespace without root',
    (own) => own.linux?.namespaces?.push({ type: 'user' }),
    /do not map root/,
  ],
  [
    'an unknown limit',
    (own) => own.process && (own.process.rlimits = [{ type: 'RLIMIT_X', soft: 1, hard: 1 }]),
    /invalid ulimit type/,
  ],
  [
    'an OOM score beyond its range',
    (own) => own.process && (own.process.oomScoreAdj = 1001),
    /\[-1000, 1000\]/,
  ],
  [
    'a missing controller',
    (own) =>
      own.linux && (own.linux.resources = { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }),
    /no hugetlb cgroup controller/,
  ],
  [
    'AppArmor where there is none',
    (own) => own.process && (own.process.apparmorProfile = 'p'),
    /AppArmor is not enabled/,
  ],
  [
    'an SELinux label where there is none',
    (own) => own.process && (own.process.selinuxLabel = 'u:r:t'),
    /selinux is disabled or not supported/,
  ],
]
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
  const overlay = program.find((op) => op.op === 'overlay')
  assert.ok(overlay?.data.endsWith(`,context="${label}"`))
  for (const op of program) {
    if (op.op !== 'mount' || op.type === 'overlay') continue
    const isLabelled = op.data.endsWith(`context="${label}"`)
    assert.equal(isLabelled, ['tmpfs', 'devpts'].includes(op.type), `${op.type} ${op.data}`)
  }
})

for (const [what, change, message] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(() => compileStart(changed(change), v2), { code: 'INVALID_ARGUMENT', message })
  })
}

test('an exec enters the container and then goes the same way', () => {
  const own = spec()
  assert.ok(own.process)
  const { containerId, cgroupParent, runtimeDir, stdio, expectAttach, seccompFilter } = input()
  const program = compileExec(
    {
      containerId,
      cgroupParent,
      runtimeDir,
      stdio,
      expectAttach,
      seccompFilter,
      containerPid: 7,
      containerStartTime: 99n,
      spec: own,
      process: { ...own.process, args: ['id'], user: { uid: 1, gid: 2, additionalGids: [2, 3] } },
    },
    v2,
  )
  assert.equal(
    explainProgram(program),
    ` 1 host  runtime_dir("/run/ctr/c/abc")
 2 host  stdio(0, 1, 2, 0, 0)
 3 host  join(7, 99)
 4 host  clone(0, "/sys/fs/cgroup/ctr/abc")
 5 child keyring?("_ses.abc")
 6 child enter(CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWNET)
 7 child setsid()
 8 child umask(022)
 9 child chdir("/work")
10 child seccomp(2 instructions, 0x0)
11 child bounding(0xa80425fb)
12 child user(uid 1, gid 2, groups [2, 3])
13 child capabilities(effective 0xa80425fb, permitted 0xa80425fb, inheritable 0x0, ambient 0x0)
14 child exec(["id"], ["PATH=/bin"])
`,
  )
})

test('an operation is one line whatever its text holds', () => {
  const program: Program = [
    { op: 'exec', args: ['a\nb', '"', 'x'.repeat(5000)], env: [] },
    { op: 'write', side: 'host', path: '/p', data: Buffer.from('1\n') },
  ]
  const lines = explainProgram(program).trimEnd().split('\n')
  assert.equal(lines.length, 2)
  assert.match(lines[0] ?? '', /^1 child exec\(\["a\\nb", "\\"", "x+"\.\.\.\], \[\]\)$/)
  assert.equal(lines[1], '2 host  write("/p", "1\\n")')
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
