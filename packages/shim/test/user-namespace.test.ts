// needs root, overlay and a file system whose mounts can have mapped ids (Linux 5.19: ext4, xfs, btrfs; 6.3: tmpfs)
import assert from 'node:assert/strict'
import { chownSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { RuntimeIdMapping, RuntimeSpec } from '@ctr/oci'
import { PlanBench } from './plan-bench.ts'

const needsRoot = process.getuid?.() === 0 ? false : 'needs root'
const FIRST = 200_000
const MAP: RuntimeIdMapping[] = [{ containerID: 0, hostID: FIRST, size: 65_536 }]

describe('a user namespace', { skip: needsRoot }, () => {
  let bench: PlanBench
  before(async () => {
    bench = await PlanBench.make()
    mkdirSync(join(bench.dir, 'closed'), { mode: 0o700 })
    mkdirSync(join(bench.dir, 'closed/source'))
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  const inUserNamespace = (also?: (spec: RuntimeSpec) => void) => ({
    spec: (spec: RuntimeSpec): void => {
      spec.linux?.namespaces?.push({ type: 'user' })
      spec.linux = { ...spec.linux, uidMappings: MAP, gidMappings: MAP }
      also?.(spec)
    },
    input: <T extends { rootfs: object }>(input: T): T => ({
      ...input,
      rootfs: { ...input.rootfs, isIdMapped: true },
    }),
  })
  const bind = (source: string, destination: string, ...options: string[]) =>
    inUserNamespace((spec) =>
      spec.mounts?.push({ type: 'bind', source, destination, options: ['rbind', ...options] }),
    )

  test('root inside is nobody special outside, and owns the image inside', async () => {
    await using running = await bench.start(['sleep', '1000'], inUserNamespace())
    assert.deepEqual(running.connection.warnings, [])
    const { pid } = running.connection
    assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s*0\s+200000\s+65536\n$/)
    assert.equal(statSync(`/proc/${pid}`).uid, FIRST)
    assert.equal(statSync(`/proc/${pid}/root/bin`).uid, FIRST)
  })

  test('what it writes has the ids of the inside on the disk', async () => {
    const script =
      'id -u; stat -c %u:%g /bin /bin/busybox; touch /a; chown 7:8 /a; stat -c %u:%g /a; rm /bin/ls; mkdir /etc/x'
    await using running = await bench.start(['sh', '-c', script], inUserNamespace())
    const { stdout, stderr, exit } = await running.outcome()
    assert.deepEqual([exit.exitCode, stderr], [0, ''])
    assert.equal(stdout, '0\n0:0\n0:0\n7:8\n')
    const upper = join(dirname(running.input.runtimeDir), 'upper')
    const { uid, gid } = statSync(join(upper, 'a'))
    assert.deepEqual([uid, gid], [7, 8])
    assert.equal(statSync(join(upper, 'etc/x')).uid, 0)
  })

  test('/proc, /sys and the devices are there', async () => {
    const script =
      'set -e; echo $$; ls /sys/class/net; echo x >/dev/null; head -c1 /dev/zero | wc -c; stat -c %t:%T /dev/null; mount | grep -c cgroup >/dev/null; hostname other; hostname'
    const { stdout, stderr } = await bench.run(
      script,
      inUserNamespace((spec) => {
        const all = ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_SETUID']
        delete spec.linux?.seccomp
        if (spec.process !== undefined) {
          spec.process.capabilities = { bounding: all, permitted: all, effective: all }
        }
      }),
    )
    assert.deepEqual([stdout, stderr], ['1\nlo\n1\n1:3\nother\n', ''])
  })

  test('an exec is in it', async () => {
    await using running = await bench.start(['sleep', '1000'], inUserNamespace())
    assert.equal((await running.exec(['sh', '-c', 'test $(id -u) = 0 && touch /made'])).exitCode, 0)
    assert.equal(statSync(`/proc/${running.connection.pid}/root/made`).uid, FIRST)
    const asUser = await running.exec(['sh', '-c', 'test $(id -u) = 33'], {
      user: { uid: 33, gid: 33 },
    })
    assert.equal(asUser.exitCode, 0)
  })

  test('a bind whose source its root may not reach works, with the ids of the host', async () => {
    const source = join(bench.dir, 'closed/source')
    writeFileSync(join(source, 'f'), 'text\n')
    const { stdout, stderr } = await bench.run(
      'cat /m/f; stat -c %u /m/f; touch /m/new',
      bind(source, '/m'),
    )
    assert.equal(stdout, 'text\n65534\n')
    assert.match(stderr, /Permission denied/)
  })

  test('idmap gives the files of a bind the ids of the inside', async () => {
    const source = join(bench.dir, 'closed/source')
    const script = 'stat -c %u /m/f; echo new >/m/new; chown 5:6 /m/new'
    const { stdout, stderr } = await bench.run(script, bind(source, '/m', 'idmap'))
    assert.deepEqual([stdout, stderr], ['0\n', ''])
    const { uid, gid } = statSync(join(source, 'new'))
    assert.deepEqual([uid, gid], [5, 6])
  })

  test('a bind with maps of its own, without a user namespace', async () => {
    const source = join(bench.dir, 'owned')
    mkdirSync(source)
    chownSync(source, 1000, 1000)
    const maps: RuntimeIdMapping[] = [{ containerID: 1000, hostID: 0, size: 1 }]
    const { stdout, stderr } = await bench.run('stat -c %u /m; touch /m/x', {
      spec: (spec) =>
        spec.mounts?.push({
          type: 'bind',
          source,
          destination: '/m',
          options: ['bind'],
          uidMappings: maps,
          gidMappings: maps,
        }),
    })
    assert.deepEqual([stdout, stderr], ['0\n', ''])
    assert.equal(statSync(join(source, 'x')).uid, 1000)
  })

  test('a user namespace that exists is joined, with new namespaces that belong to it', async () => {
    await using first = await bench.start(['sleep', '1000'], inUserNamespace())
    const of = (type: string): string => `/proc/${first.connection.pid}/ns/${type}`
    const change = inUserNamespace((spec) => {
      const all = ['CAP_SYS_ADMIN']
      delete spec.linux?.seccomp
      for (const namespace of spec.linux?.namespaces ?? []) {
        if (namespace.type === 'user') namespace.path = of('user')
        if (namespace.type === 'ipc') namespace.path = of('ipc')
        if (namespace.type === 'pid') namespace.path = of('pid')
      }
      if (spec.process !== undefined) {
        spec.process.capabilities = { bounding: all, permitted: all, effective: all }
      }
    })
    await using second = await bench.start(
      ['sh', '-c', 'hostname its-own && hostname && echo $$ && exec sleep 60'],
      change,
    )
    const { pid } = second.connection
    for (const type of ['user', 'ipc', 'pid']) {
      assert.equal(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(of(type)), type)
    }
    for (const type of ['uts', 'net', 'mnt']) {
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(of(type)), type)
    }
    assert.equal(statSync(`/proc/${pid}`).uid, FIRST)
    assert.equal((await second.exec(['sh', '-c', 'test $(id -u) = 0 && touch /made'])).exitCode, 0)
    assert.equal(statSync(`/proc/${pid}/root/made`).uid, FIRST)
    await second.connection.signal(9)
    assert.match((await second.outcome()).stdout, /^its-own\n[2-9]\d*\n$/)
  })

  test('a terminal belongs to the user', async () => {
    const change = inUserNamespace((spec) => {
      if (spec.process !== undefined) spec.process.user = { uid: 33, gid: 33 }
    })
    const { exit, stdout } = await bench.run(
      'test -w /dev/console && stat -c %u $(readlink /proc/self/fd/0)',
      {
        ...change,
        input: (input) => ({
          ...change.input(input),
          stdio: { ...input.stdio, tty: true, stdin: true },
        }),
      },
    )
    assert.equal(exit.exitCode, 0, stdout)
    assert.match(stdout, /^33\r?\n/)
  })

  test('maps without root, and users outside of them, are refused', async () => {
    const change = (map: RuntimeIdMapping[], uid: number) => ({
      spec: (spec: RuntimeSpec): void => {
        spec.linux?.namespaces?.push({ type: 'user' })
        spec.linux = { ...spec.linux, uidMappings: map, gidMappings: map }
        if (spec.process !== undefined) spec.process.user = { uid, gid: 0 }
      },
    })
    const noRoot = [{ containerID: 1, hostID: FIRST, size: 10 }]
    await assert.rejects(bench.run('true', change(noRoot, 1)), /not map|do not map root/)
    const few = [{ containerID: 0, hostID: FIRST, size: 10 }]
    await assert.rejects(bench.run('true', change(few, 99)), /user 99 is not mapped/)
  })
})
