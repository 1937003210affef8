import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { RuntimeMount } from '@ctr/oci'
import { defaultConfig } from '../src/default-config.ts'
import { message, SUITE_MS, TestBundle } from './bundle.ts'

const DEFAULTS = defaultConfig({ isRootless: false })

/** Requires root. */
describe('mounts', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  beforeEach(() => bundle.configure({}))
  after(() => bundle[Symbol.dispose]())

  const configure = (script: string, mounts: RuntimeMount[], more: object = {}): void =>
    bundle.configure(
      { mounts: [...(DEFAULTS.mounts ?? []), ...mounts], ...more },
      { args: ['sh', '-c', script] },
    )

  it('tmpcopyup begins a tmpfs with what the image has there', async () => {
    const dir = join(bundle.dir, 'rootfs/data')
    mkdirSync(join(dir, 'sub'), { recursive: true, mode: 0o711 })
    writeFileSync(join(dir, 'sub/file'), 'text', { mode: 0o604 })
    chownSync(join(dir, 'sub/file'), 5, 6)
    symlinkSync('/etc/shadow', join(dir, 'link'))
    execFileSync('mkfifo', ['-m', '0604', join(dir, 'pipe')])
    for (const words of [['tmpcopyup'], ['tmpcopyup', 'ro']]) {
      configure(
        "cd /data; stat -c '%n %A %u:%g' sub sub/file link pipe; cat sub/file; readlink link; stat -f -c %T .; touch new",
        [{ destination: '/data', type: 'tmpfs', source: 'tmpfs', options: words }],
      )
      const { stdout, code } = await bundle.run('run', bundle.id('copy'))
      assert.deepEqual(stdout.split('\n'), [
        'sub drwx--x--x 0:0',
        'sub/file -rw----r-- 5:6',
        'link lrwxrwxrwx 0:0',
        'pipe prw----r-- 0:0',
        'text/etc/shadow',
        'tmpfs',
        '',
      ])
      assert.equal(code, words.includes('ro') ? 1 : 0)
    }
    rmSync(dir, { recursive: true })
  })

  describe('a bind of a mount with flags', () => {
    const source = (): string => join(bundle.dir, 'flagged')
    const flagged = (flags: string): void => {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', source()])
      execFileSync('mount', ['-o', `remount,bind,${flags}`, source()])
    }
    before(() => mkdirSync(source()))
    afterEach(() => execFileSync('umount', ['-R', source()]))
    const users = [{ containerID: 0, hostID: 0, size: 1000 }]
    const userNamespace = {
      linux: {
        ...DEFAULTS.linux,
        namespaces: [...(DEFAULTS.linux?.namespaces ?? []), { type: 'user' }],
        uidMappings: users,
        gidMappings: users,
      },
    }

    // As runc 1.3: words about flags replace those of the source; without any it keeps its own.
    const ROWS: readonly [had: string, words: string, has: string, inUserNamespace: string][] = [
      ['ro,nosuid,noatime', 'bind', 'ro,nosuid,noatime', 'ro,nosuid,noatime'],
      ['ro,noexec,nosymfollow', 'bind,dev', 'rw,relatime', 'ro,noexec,relatime'],
      ['ro', 'bind,rw,nosuid', 'rw,nosuid,relatime', 'EPERM'],
      ['nosuid,nodev,noexec,noatime', 'bind,dev,suid,exec,atime', 'rw,noatime', 'EPERM'],
      ['nosuid,nodev', 'bind,ro', 'ro,relatime', 'ro,nosuid,nodev,relatime'],
      ['noatime', 'bind,nodiratime', 'rw,nodiratime,relatime', 'EPERM'],
      ['nodiratime', 'bind,strictatime', 'rw', 'EPERM'],
      ['noatime', 'bind,relatime', 'rw,relatime', 'EPERM'],
      ['noatime', 'bind,noatime', 'rw,noatime', 'rw,noatime'],
      ['nosuid', 'rbind,rnoexec,rsuid', 'rw,noexec,relatime', 'EPERM'],
    ]
    for (const [had, words, has, inside] of ROWS) {
      it(`${had}, with ${words}: ${has}`, async () => {
        flagged(had)
        const mount = { destination: '/mnt', source: source(), options: words.split(',') }
        const script = 'awk \'$5 == "/mnt" {print $6}\' /proc/self/mountinfo'
        configure(script, [mount])
        assert.equal((await bundle.run('run', bundle.id('flags'))).stdout.trim(), has)
        configure(script, [mount], userNamespace)
        const result = await bundle.run('run', bundle.id('locked'))
        assert.equal(result.code, inside === 'EPERM' ? 1 : 0, message(result))
        if (inside !== 'EPERM') assert.equal(result.stdout.trim(), inside)
        else assert.match(message(result), /error mounting.*operation not permitted/)
      })
    }
  })

  it('idmap maps the mount, ridmap those below it, too', async () => {
    const source = join(bundle.dir, 'mapped')
    mkdirSync(join(source, 'sub'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'sub')])
    try {
      for (const path of ['top', 'sub/below']) {
        writeFileSync(join(source, path), '')
        chownSync(join(source, path), 7, 8)
      }
      const maps = [{ containerID: 0, hostID: 1000, size: 100 }]
      const mapped = { uidMappings: maps, gidMappings: maps }
      const rows = [
        [['rbind'], '1007:1008 7:8'],
        [['rbind', 'idmap'], '1007:1008 7:8'],
        [['rbind', 'ridmap'], '1007:1008 1007:1008'],
      ] as const
      for (const [options, owners] of rows) {
        configure('echo $(stat -c %u:%g /mnt/top /mnt/sub/below)', [
          { destination: '/mnt', source, options: [...options], ...mapped },
        ])
        assert.equal((await bundle.run('run', bundle.id('mapped'))).stdout.trim(), owners)
      }
    } finally {
      execFileSync('umount', [join(source, 'sub')])
    }
  })

  it('the root has the propagation that the spec says', async () => {
    for (const wanted of ['shared', 'private']) {
      const linux = { ...DEFAULTS.linux, rootfsPropagation: wanted }
      configure("grep -c ' / [a-z,]* shared:' /proc/self/mountinfo", [], { linux })
      const { stdout } = await bundle.run('run', bundle.id('propagation'))
      assert.equal(stdout, wanted === 'shared' ? '1\n' : '0\n')
    }
  })

  it('a source below the root filesystem is what earlier mounts have put there', async () => {
    const made = join(bundle.dir, 'made')
    mkdirSync(made)
    writeFileSync(join(made, 'file'), 'from a mount')
    const rootfs = join(bundle.dir, 'rootfs')
    const user = { containerID: 0, hostID: 0, size: 65536 }
    for (const isInUserNamespace of [false, true]) {
      const linux = {
        ...DEFAULTS.linux,
        namespaces: [
          ...(DEFAULTS.linux?.namespaces ?? []),
          ...(isInUserNamespace ? [{ type: 'user' as const }] : []),
        ],
        ...(isInUserNamespace ? { uidMappings: [user], gidMappings: [user] } : {}),
      }
      const mounts = [
        { destination: 'a', source: made, options: ['bind'] },
        { destination: `${rootfs}/b`, source: `${rootfs}/a`, options: ['rbind'] },
      ]
      configure('cat /b/file', mounts, { linux })
      assert.equal((await bundle.run('run', bundle.id('inside'))).stdout, 'from a mount')
    }
  })

  it('--no-pivot leaves no bare /proc for a user namespace to mount', async () => {
    configure('unshare -mrpf sh -c "mount -t proc none /mnt && echo bare"', [])
    mkdirSync(join(bundle.dir, 'rootfs/mnt'), { recursive: true })
    const result = await bundle.run('run', '--no-pivot', bundle.id('bare'))
    assert.doesNotMatch(result.stdout, /bare/)
    assert.match(result.stderr, /permission denied|Operation not permitted/)
  })

  it('a mapped bind of what an earlier mount has put into the root has that mount', async () => {
    const outside = join(bundle.dir, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'file'), 'seen')
    chownSync(join(outside, 'file'), 7, 8)
    const map = [{ containerID: 0, hostID: 1000, size: 1000 }]
    const maps = { uidMappings: map, gidMappings: map }
    const first = join(bundle.dir, 'rootfs/first')
    configure('cat /second/file; stat -c " %u:%g" /second/file', [
      { destination: '/first', source: outside, options: ['bind'] },
      { destination: '/second', source: first, options: ['bind'], ...maps },
    ])
    const { stdout, stderr } = await bundle.run('run', bundle.id('order'))
    assert.equal(stdout, 'seen 1007:1008\n', stderr)
  })

  it('without a mount namespace they are the caller’s, and the root is changed all the same', async () => {
    const rootfs = join(bundle.dir, 'rootfs')
    const { linux } = DEFAULTS
    bundle.configure(
      {
        hostname: '',
        linux: { ...linux, namespaces: [], maskedPaths: [], readonlyPaths: [] },
      },
      { args: ['sh', '-c', 'ls /; readlink /proc/self/ns/mnt'] },
    )
    try {
      const { stdout, stderr } = await bundle.run('run', bundle.id('host'))
      const lines = stdout.trim().split('\n')
      assert.equal(lines.pop(), readlinkSync('/proc/self/ns/mnt'), stderr)
      assert.deepEqual(
        lines.filter((name) => name === 'work' || name === 'boot'),
        [],
      )
      assert.ok(lines.includes('bin'))
    } finally {
      // As with runc, they stay.
      execFileSync('umount', ['-R', '--lazy', rootfs])
    }
  })

  it('a file on a directory is refused with the words that callers look for', async () => {
    const source = join(bundle.dir, 'config.json')
    const user = { containerID: 0, hostID: 0, size: 65536 }
    const namespaces = [...(DEFAULTS.linux?.namespaces ?? []), { type: 'user' as const }]
    const mapped = { ...DEFAULTS.linux, namespaces, uidMappings: [user], gidMappings: [user] }
    for (const more of [{}, { linux: mapped }]) {
      configure('true', [{ destination: '/etc', source, options: ['bind'] }], more)
      const result = await bundle.run('run', bundle.id('kind'))
      assert.equal(result.code, 1)
      assert.match(message(result), /not a directory/)
    }
  })

  it('/proc behind a link is refused in words', async () => {
    const proc = join(bundle.dir, 'rootfs/proc')
    rmSync(proc, { recursive: true })
    symlinkSync('/tmp', proc)
    const result = await bundle.run('run', bundle.id('proc'))
    assert.match(message(result), /must be mounted on ordinary directory$/)
    rmSync(proc)
    mkdirSync(proc)
  })
})
