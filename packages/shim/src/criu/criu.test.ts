import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isEngineError } from '@ctr/errdefs'
import { parseMountInfo } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { restoreHint } from './binary.ts'
import { externalDescriptors, inheritedDescriptors } from './descriptors.ts'
import { dumpArguments, restoreArguments } from './dump.ts'
import { externalMounts } from './external-mounts.ts'
import { loadMounts, saveMounts } from './saved-mounts.ts'

const host = parseMountInfo(`20 1 254:0 / / rw - ext4 /dev/vda rw
21 20 0:5 / /dev rw - devtmpfs udev rw
22 20 0:30 / /run rw - tmpfs tmpfs rw
23 20 0:31 / /proc rw - proc proc rw
`)
const container = `100 90 0:70 / / rw - overlay overlay rw
101 100 0:73 / /proc rw - proc proc rw
102 101 0:73 /sys /proc/sys ro - proc proc rw
103 100 0:76 / /dev rw - tmpfs tmpfs rw
104 101 0:76 /null /proc/keys rw - tmpfs tmpfs rw
105 103 0:81 / /dev/pts rw - devpts devpts rw
106 100 0:82 / /sys ro - sysfs sysfs ro
107 106 0:29 /ctr/x /sys/fs/cgroup ro - cgroup2 cgroup rw
108 100 254:0 /data/hosts /etc/hosts rw - ext4 /dev/vda rw
109 100 0:30 /volume /data rw - tmpfs tmpfs rw
110 100 0:90 / /tmp rw - tmpfs tmpfs rw
111 100 0:91 / /run/secrets ro - tmpfs tmpfs ro
112 100 0:91 /0 /etc/key ro - tmpfs tmpfs ro
`
const spec: RuntimeSpec = {
  ociVersion: '1.2.0',
  mounts: [
    { destination: '/proc', type: 'proc' },
    { destination: '/sys/fs/cgroup', type: 'cgroup' },
    { destination: '/etc/hosts', type: 'bind', options: ['rbind'] },
    { destination: '/data', type: 'bind', options: ['rbind'] },
    { destination: '/tmp', type: 'tmpfs' },
    { destination: '/dev/pts', type: 'devpts' },
  ],
  linux: { maskedPaths: ['/proc/keys'], readonlyPaths: ['/proc/sys'] },
}

function externals(text: string, changes: Partial<RuntimeSpec> = {}): string[] {
  const facts = { container: parseMountInfo(text), host, own: ['/run/secrets'] }
  return externalMounts({ ...facts, spec: { ...spec, ...changes } })
}

test('a restore that fails names a criu that is too old for the kernel', () => {
  const hint = (version: string, major: number, minor: number): string =>
    restoreHint({ path: '/criu', version }, { major, minor })
  assert.match(
    hint('4.1', 6, 18),
    /criu 4\.1 cannot restore on Linux 6\.18: use criu 4\.2 or newer/,
  )
  assert.match(hint('4.1.1', 7, 0), /use criu 4\.2/)
  assert.equal(hint('4.2', 6, 18), '')
  assert.equal(hint('4.1', 6, 17), '')
  assert.equal(hint('5.0', 7, 0), '')
})

describe('external mounts', () => {
  test('are those of the host, cgroups and secrets; the rest criu makes', () => {
    assert.deepEqual(externals(container), [
      '/sys/fs/cgroup',
      '/etc/hosts',
      '/data',
      '/run/secrets',
      '/etc/key',
    ])
  })

  test('are not the terminal: it comes back with its file system', () => {
    const console = '113 103 0:81 /0 /dev/console rw - devpts devpts rw\n'
    const process = { terminal: true, args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } }
    const found = externals(container + console, { process })
    assert.ok(!found.some((path) => path.startsWith('/dev')))
  })

  test('cannot be what was mounted inside: a restore would not have it', () => {
    const inside = '113 100 7:1 / /mnt rw - ext4 /dev/loop1 rw\n'
    assert.throws(
      () => externals(container + inside),
      (error) =>
        isEngineError(error, 'CONFLICT') && error.message.startsWith('/mnt was mounted inside'),
    )
  })

  test('include a filesystem of a namespace that a bind brings in', () => {
    const mounts = [{ destination: '/host', type: 'bind', options: ['rbind'] }]
    const bound = `100 90 0:70 / / rw - overlay overlay rw
101 100 254:0 / /host rw - ext4 /dev/vda rw
102 101 0:31 / /host/proc rw - proc proc rw
`
    assert.deepEqual(externals(bound, { mounts }), ['/host', '/host/proc'])
  })
})

describe('descriptors', () => {
  test('that are shared are inherited once; those of the container and forged ones are not', () => {
    const all = ['/dev/null', 'pipe:[12]', 'pipe:[12]']
    assert.deepEqual(inheritedDescriptors(all), [{ key: 'pipe:[12]', fd: 4 }])
    assert.deepEqual(externalDescriptors(all), [])
    assert.deepEqual(externalDescriptors(['tty[8800:51]', 'tty[8800:51]', '']), ['tty[8800:51]'])
    assert.deepEqual(inheritedDescriptors(['pipe:[1]:x', 'socket:[5]', '']), [])
  })
})

describe('arguments', () => {
  const common = {
    imagesDir: '/images',
    tcpEstablished: true,
    fileLocks: false,
    descriptors: ['/dev/null', 'pipe:[7]', 'pipe:[8]'],
  }

  test('of a dump', () => {
    const args = dumpArguments({
      ...common,
      pid: 5,
      leaveRunning: true,
      mounts: ['/etc/hosts'],
      networkInode: 9,
    }).join(' ')
    assert.match(args, /^--tree 5 --images-dir \/images --log-file dump.log -v4/)
    assert.match(args, / --manage-cgroups=ignore --tcp-established --network-lock nftables/)
    assert.match(args, / --leave-running --external net\[9\]:extRootNetNS/)
    assert.match(args, / --external mnt\[\/etc\/hosts\]:\/etc\/hosts$/)
  })

  test('of a restore', () => {
    const criu = { path: '/bin/criu', version: '4.2' }
    const args = restoreArguments(criu, { ...common, hasNetwork: true }).join(' ')
    assert.match(args, /^\/bin\/criu restore --restore-detached --restore-sibling /)
    assert.match(
      args,
      / --inherit-fd fd\[6\]:extRootNetNS --inherit-fd fd\[4\]:pipe:\[7\] --inherit-fd fd\[5\]:pipe:\[8\]$/,
    )
  })

  test('of lazy pages: served by the dump, for which a descriptor of the caller is the third of criu’s', () => {
    const args = dumpArguments({
      pid: 42,
      imagesDir: '/images',
      leaveRunning: false,
      mounts: [],
      descriptors: [],
      networkInode: undefined,
      tcpEstablished: false,
      fileLocks: false,
      lazyPages: true,
      pageServer: { address: '::1', port: 27 },
      statusFd: 9,
    }).join(' ')
    assert.match(args, / --lazy-pages .*--address ::1 --port 27 --status-fd 3$/)
    assert.doesNotMatch(args, /--page-server/)
  })

  test('of security modules are for a restore', () => {
    const args = restoreArguments(
      { path: '/criu', version: '4.2' },
      {
        imagesDir: '/images',
        descriptors: [],
        hasNetwork: false,
        tcpEstablished: false,
        fileLocks: false,
        lsmProfile: 'apparmor:box',
        lsmMountContext: 'system_u:object_r:box_t:s0',
      },
    ).join(' ')
    assert.match(args, /--lsm-profile apparmor:box --lsm-mount-context system_u:object_r:box_t:s0/)
  })
})

describe('saved mounts', () => {
  test('that would be more than a path to criu are refused', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ctr-criu-'))
    try {
      saveMounts(directory, ['/etc/hosts'])
      assert.deepEqual(loadMounts(directory), ['/etc/hosts'])
      for (const path of ['relative', '/a/../b', '/a]:/etc', '/a\0b']) {
        saveMounts(directory, [path])
        assert.throws(() => loadMounts(directory), /has no checkpoint of ctr/)
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
