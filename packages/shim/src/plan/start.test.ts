import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultNamespaces } from '@ctr/oci'
import type { OpName, Program } from '../ops.ts'
import { explainProgram } from './explain.ts'
import { changed, input, names, only, v1, v2 } from './plan-fixture.ts'
import { compileStart } from './start.ts'

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
10 child keyring?("_ses.abc")
11 child propagation("/", MS_REC|MS_PRIVATE)
12 child overlay("overlay", "/run/ctr/rootfs", "lowerdir=snapshots/2:snapshots/1,upperdir=containers/abc/upper,workdir=containers/abc/work,index=off,redirect_dir=nofollow,metacopy=off", in "/var/lib/ctr")
13 child root("/run/ctr/rootfs")
14 child mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
15 child mount("tmpfs", "/dev", "tmpfs", MS_NOSUID|MS_STRICTATIME, "mode=755,size=65536k")
16 child mount("devpts", "/dev/pts", "devpts", MS_NOSUID|MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
17 child mount("sysfs", "/sys", "sysfs", MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC, "")
18 child unshare(CLONE_NEWCGROUP)
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
  assert.match(text, /write&\("\/sys\/fs\/cgroup\/cpuset\/ctr\/cpuset.cpus", "0-3"\)/)
  assert.match(text, /write&\("\/sys\/fs\/cgroup\/cpuset\/ctr\/abc\/cpuset.mems", "0"\)/)
  assert.match(text, /write&\("\/sys\/fs\/cgroup\/devices\/ctr\/abc\/devices.deny", "a"\)/)
  assert.match(
    text,
    /bind\("\/sys\/fs\/cgroup\/cpu,cpuacct\/ctr\/abc", "\/sys\/fs\/cgroup\/cpu,cpuacct"/,
  )
  assert.match(text, /symlink\("cpu,cpuacct", "\/sys\/fs\/cgroup\/cpu"\)/)
  assert.match(text, /symlink\("cpu,cpuacct", "\/sys\/fs\/cgroup\/cpuacct"\)/)
  assert.equal(only(program, 'clone')[0]?.cgroup, '')
})

test('the host makes cgroups and network devices while the child mounts what needs neither', () => {
  const message = new Uint8Array(16)
  const network = {
    forwards: [],
    hostOps: [{ op: 'netlink', side: 'host', message, pid_offset: 8, ignore: 0 } as const],
    childOps: [{ op: 'netlink', side: 'child', message, pid_offset: 0, ignore: 0 } as const],
  }
  const program = compileStart(input({ network }), v1)
  const steps = program.map((op) => (op.beside === true ? `${op.op}&` : op.op))
  const besides = steps.filter((step) => step.endsWith('&'))
  assert.deepEqual(new Set(besides), new Set(['cgroup&', 'write&', 'oom_watch&', 'netlink&']))
  const first = steps.indexOf('cgroup&')
  assert.deepEqual(steps.slice(first, first + besides.length), besides)
  assert.ok(steps.indexOf('clone') < steps.indexOf('overlay') && steps.indexOf('overlay') < first)
  // In its cgroups before it mounts them, and before memory counts.
  const joined = steps.indexOf('write')
  assert.equal(joined, first + besides.length)
  assert.ok(joined < program.findIndex((op) => 'target' in op && op.target === '/sys/fs/cgroup'))
  assert.ok(joined < steps.indexOf('netlink'))
})

test('what is copied into a tmpfs counts as memory of the container', () => {
  const program = compileStart(
    changed((own) => {
      own.mounts?.splice(1, 0, { destination: '/run', type: 'tmpfs', options: ['tmpcopyup'] })
    }),
    v1,
  )
  const list = names(program)
  assert.ok(list.lastIndexOf('cgroup') < list.indexOf('copy_up'))
})

test('a child that waits for its ids, or has left the host, finds everything made', () => {
  const waits = changed((own) => {
    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    own.linux?.namespaces?.push({ type: 'user' })
    own.linux = { ...own.linux, uidMappings: map, gidMappings: map }
  })
  const joins = changed((own) => {
    own.linux = { ...own.linux, namespaces: [{ type: 'mount', path: '/proc/7/ns/mnt' }] }
  })
  for (const one of [waits, joins]) {
    const program = compileStart(one, v1)
    assert.ok(program.every((op) => op.beside !== true))
    const list = names(program)
    assert.ok(list.lastIndexOf('cgroup') < list.indexOf('clone'))
  }
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
