import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { BIND_NO_CREATE, BIND_RECURSIVE, BIND_SOURCE_IN_ROOT } from '../src/index.ts'
import type { Op } from '../src/ops.ts'
import { Bench, minimalProgram, parseLog } from './minimal-program.ts'

const MS_BIND_PROPAGATION_NONE = 0n
const MOUNT_ATTR_RDONLY = 1n
const MOUNT_ATTR_NOATIME = 0x10n

/** Requires root: namespaces, mounts. Images here are hostile: their symlinks point out of the root. */
describe('the root filesystem', { timeout: 300_000 }, () => {
  let bench: Bench
  let outside: string
  before(async () => {
    bench = await Bench.make()
    outside = join(bench.dir, 'outside')
    await mkdir(outside)
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  /** A copy of the root with changes of the test. */
  async function image(change: (root: string) => Promise<void>): Promise<string> {
    const root = await bench.runtimeDir()
    await cp(join(bench.dir, 'image'), root, { recursive: true, verbatimSymlinks: true })
    await change(root)
    return root
  }

  async function run(
    rootPath: string,
    rootOps: readonly Op[],
    script: string,
    processOps: readonly Op[] = [],
  ): Promise<string> {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        rootPath,
        args: ['sh', '-c', script],
        log: { path },
        rootOps,
        processOps,
      }),
    )
    await connection.exited
    return parseLog(await readFile(path, 'utf8'))
      .map((record) => record.log)
      .join('')
  }

  function bind(
    source: string,
    target: string,
    more: Partial<Extract<Op, { op: 'bind' }>> = {},
  ): Op {
    return {
      op: 'bind',
      source,
      target,
      flags: BIND_RECURSIVE,
      attr: 0n,
      clear: 0n,
      propagation: MS_BIND_PROPAGATION_NONE,
      ...more,
    }
  }

  it('keeps targets behind symlinks inside: absolute, relative and dangling', async () => {
    const volume = join(bench.dir, 'volume')
    await mkdir(volume)
    await writeFile(join(volume, 'inside'), 'x')
    const root = await image(async (dir) => {
      await symlink(`/../../../..${outside}/made`, join(dir, 'absolute'))
      await symlink(`../../../../../../../../..${outside}/relative`, join(dir, 'relative'))
      await symlink(outside, join(dir, 'parent'))
    })
    const out = await run(
      root,
      [
        bind(volume, '/absolute'),
        bind(volume, '/relative'),
        bind(volume, '/parent/deep/er'),
        { op: 'mkdir', path: '/parent/dir', mode: 0o700, uid: 3, gid: 4 },
        { op: 'symlink', target: '/x', path: '/parent/link' },
        {
          op: 'mknod',
          path: '/parent/null',
          type: 0o020000,
          mode: 0o600,
          major: 1,
          minor: 3,
          uid: 5,
          gid: 6,
        },
        { op: 'mount', type: 'tmpfs', source: 'tmpfs', target: '/parent/tmp', flags: 0n, data: '' },
      ],
      `ls /absolute /relative /parent/deep/er; stat -c '%a %u %g %F' /parent/dir /parent/null; readlink /parent/link`,
    )
    assert.match(out, /\/absolute:\ninside\n\n\/parent\/deep\/er:\ninside\n\n\/relative:\ninside\n/)
    assert.match(out, /700 3 4 directory\n600 5 6 character special file\n\/x\n/)
    assert.deepEqual(existsSync(join(outside, 'made')), false)
    const { readdir } = await import('node:fs/promises')
    assert.deepEqual(await readdir(outside), [])
  })

  it('refuses /proc and /sys behind a symlink, and follows one at /dev inside the root', async () => {
    const root = await image(async (dir) => {
      await rm(join(dir, 'proc'), { recursive: true })
      await symlink('/tmp', join(dir, 'proc'))
    })
    await assert.rejects(run(root, [], 'true'), { op: 'mount', code: 'ELOOP' })
    const other = await image(async (dir) => {
      await rm(join(dir, 'dev'), { recursive: true })
      await mkdir(join(dir, 'real'))
      await symlink('/real', join(dir, 'dev'))
    })
    assert.equal(await run(other, [], 'stat -c %t:%T /real/null'), '1:3\n')
  })

  it('survives symlink loops, long chains and deep paths', async () => {
    const root = await image(async (dir) => {
      await symlink('/loop-b', join(dir, 'loop-a'))
      await symlink('/loop-a', join(dir, 'loop-b'))
      for (let i = 0; i < 60; i++) await symlink(`/chain-${i + 1}`, join(dir, `chain-${i}`))
    })
    await assert.rejects(
      run(root, [{ op: 'mkdir', path: '/loop-a/x', mode: 0o755, uid: 0, gid: 0 }], 'true'),
      { code: 'ELOOP' },
    )
    await assert.rejects(
      run(root, [{ op: 'mkdir', path: '/chain-0', mode: 0o755, uid: 0, gid: 0 }], 'true'),
      { code: 'ELOOP' },
    )
    await assert.rejects(
      run(root, [{ op: 'mkdir', path: '/d'.repeat(2000), mode: 0o755, uid: 0, gid: 0 }], 'true'),
      { code: 'ELOOP' },
    )
    await assert.rejects(
      run(
        root,
        [{ op: 'mkdir', path: `/${'n'.repeat(300)}`, mode: 0o755, uid: 0, gid: 0 }],
        'true',
      ),
      { code: 'ENAMETOOLONG' },
    )
  })

  it('does not wait for a FIFO or other strange files in the image', async () => {
    const { execFileSync } = await import('node:child_process')
    const root = await image(async (dir) => {
      execFileSync('mkfifo', [join(dir, 'etc/hosts')])
      execFileSync('mkfifo', [join(dir, 'tmp/fifo')])
    })
    const hosts = join(bench.dir, 'hosts')
    await writeFile(hosts, 'generated\n')
    assert.equal(
      await run(
        root,
        [bind(hosts, '/etc/hosts'), { op: 'mask', path: '/tmp/fifo' }],
        'cat /etc/hosts /tmp/fifo',
      ),
      'generated\n',
    )
  })

  it('binds files and directories, read-only when asked, with the mount options of the volume', async () => {
    const root = await image(async () => undefined)
    const file = join(bench.dir, 'file')
    await writeFile(file, 'content\n')
    const out = await run(
      root,
      [
        bind(file, '/new/dir/file', { attr: MOUNT_ATTR_RDONLY }),
        bind(outside, '/data', { attr: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME }),
      ],
      'cat /new/dir/file; (echo x >/new/dir/file) 2>&1; (touch /data/x) 2>&1; grep /data /proc/self/mountinfo',
    )
    assert.match(out, /^content\n/)
    assert.match(out, /\/new\/dir\/file: Read-only file system/)
    assert.match(out, /\/data\/x: Read-only file system/)
    assert.match(out, / \/data ro,noatime /)
  })

  it('what follows a mount over a directory is made in the mount, not below it', async () => {
    const root = await image(async (dir) => {
      await mkdir(join(dir, 'place/there'), { recursive: true })
      await symlink('/place/elsewhere', join(dir, 'place/link'))
    })
    const tmpfs = (target: string): Op => ({
      op: 'mount',
      type: 'tmpfs',
      source: 'tmpfs',
      target,
      flags: 0n,
      data: 'mode=755',
    })
    const link = (path: string): Op => ({ op: 'symlink', target: '/x', path })
    const out = await run(
      root,
      [
        link('/place/before'),
        tmpfs('/place/made'),
        tmpfs('/place/there'),
        link('/place/there/inside'),
        link('/place/between'),
        bind(outside, '/place/link'),
        bind(outside, '/place/bound'),
        tmpfs('/place'),
        link('/place/after'),
        tmpfs('/place/again'),
        link('/place/again/inside'),
      ],
      'ls /place /place/again; umount /place/again /place; ls /place /place/there; grep -c " /place/" /proc/self/mountinfo',
    )
    assert.equal(
      out,
      '/place:\nafter\nagain\n\n/place/again:\ninside\n' +
        '/place:\nbefore\nbetween\nbound\nelsewhere\nlink\nmade\nthere\n\n/place/there:\ninside\n4\n',
    )
  })

  it('masks directories with one empty tmpfs that nobody can write to', async () => {
    const root = await image(async (dir) => {
      for (const name of ['a', 'b', 'c/d']) {
        await mkdir(join(dir, name), { recursive: true })
        await writeFile(join(dir, name, 'secret'), 'x')
      }
    })
    const masks = ['/a', '/b', '/c/d', '/none'].map((path): Op => ({ op: 'mask', path }))
    const script = 'ls -A /a /b /c/d; stat -c %d /a /b /c/d | uniq | wc -l; touch /b/x 2>&1'
    const out = await run(root, masks, script)
    assert.match(out, /^\/a:\n\n\/b:\n\n\/c\/d:\n1\n.*Read-only file system/)
  })

  it('says what is wrong with a bind', async () => {
    const root = await image(async () => undefined)
    await assert.rejects(run(root, [bind('/nosuch', '/data')], 'true'), {
      op: 'bind',
      code: 'ENOENT',
      detail: 'open_tree',
      message: /bind \/nosuch on \/data: open_tree: ENOENT/,
    })
    await assert.rejects(run(root, [bind(outside, '/nosuch', { flags: BIND_NO_CREATE })], 'true'), {
      code: 'ENOENT',
      detail: 'make target',
    })
    await assert.rejects(run(root, [bind(outside, '/bin/busybox')], 'true'), { code: 'ENOTDIR' })
  })

  it('masks files and directories, makes paths read-only, and ignores what is missing', async () => {
    const root = await image(async (dir) => {
      await writeFile(join(dir, 'etc/secret'), 'secret')
      await mkdir(join(dir, 'etc/secrets'))
      await writeFile(join(dir, 'etc/secrets/a'), 'secret')
    })
    const out = await run(
      root,
      [
        { op: 'mask', path: '/etc/secret' },
        { op: 'mask', path: '/etc/secrets' },
        { op: 'mask', path: '/etc/nosuch/x' },
        { op: 'mask', path: '/etc/secret/not-a-directory' },
        { op: 'readonly', path: '/proc/sys' },
        { op: 'readonly', path: '/nosuch' },
      ],
      'cat /etc/secret; ls /etc/secrets; (touch /etc/secrets/b) 2>&1; (echo x >/proc/sys/kernel/hostname) 2>&1; cat /proc/sys/kernel/hostname',
    )
    assert.equal(
      out,
      'touch: /etc/secrets/b: Read-only file system\n' +
        "sh: can't create /proc/sys/kernel/hostname: Read-only file system\n" +
        'bench\n',
    )
    assert.equal(await readFile(join(root, 'etc/secret'), 'utf8'), 'secret')
  })

  it('refuses to mask with something that is not /dev/null', async () => {
    const root = await image(async (dir) => writeFile(join(dir, 'etc/secret'), 'x'))
    const runtimeDir = await bench.runtimeDir()
    const program = minimalProgram(bench, {
      runtimeDir,
      rootPath: root,
      args: ['true'],
      rootOps: [{ op: 'mask', path: '/etc/secret' }],
    }).map((op): Op => (op.op === 'mknod' && op.path === '/dev/null' ? { ...op, minor: 5 } : op))
    await assert.rejects(bench.spawner.run(program), { op: 'mask', code: 'ENODEV' })
  })

  it('makes the root read-only after everything is in place', async () => {
    const root = await image(async () => undefined)
    const out = await run(root, [], '(touch /x) 2>&1; touch /dev/x && echo dev', [
      { op: 'readonly_root' },
    ])
    assert.equal(out, 'touch: /x: Read-only file system\ndev\n')
  })

  it('moves the root where pivot_root does not work', async () => {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['sh', '-c', 'ls /; readlink /proc/1/root'],
      log: { path },
    }).map((op): Op => (op.op === 'pivot_root' ? { op: 'move_root' } : op))
    const connection = await bench.spawner.run(program)
    await connection.exited
    assert.match(await readFile(path, 'utf8'), /busybox|bin/)
  })

  it('writes sysctls of the namespaces and nothing outside /proc/sys', async () => {
    const root = await image(async () => undefined)
    const sysctl = (key: string, value: string): Op => ({ op: 'sysctl', key, value })
    const out = await run(root, [], 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', [
      sysctl('net.ipv4.ip_forward', '1'),
      sysctl('kernel/msgmax', '4096'),
    ])
    assert.equal(out, '1\n4096\n')
    await assert.rejects(run(root, [], 'true', [sysctl('nonsense', '1')]), {
      op: 'sysctl',
      code: 'ENOENT',
    })
    await assert.rejects(run(root, [], 'true', [sysctl('kernel/../../1/oom_score_adj', '1')]), {
      code: 'EINVAL',
    })
  })

  it('does not write a fake /proc of the image', async () => {
    const root = await image(async (dir) => {
      await mkdir(join(dir, 'proc/self'), { recursive: true })
      await writeFile(join(dir, 'proc/self/oom_score_adj'), 'untouched')
    })
    const runtimeDir = await bench.runtimeDir()
    const program = minimalProgram(bench, {
      runtimeDir,
      rootPath: root,
      args: ['true'],
      processOps: [{ op: 'oom_score_adj', value: '100' }],
    }).filter((op) => !(op.op === 'mount' && op.type === 'proc'))
    await assert.rejects(bench.spawner.run(program), { op: 'oom_score_adj', code: 'EXDEV' })
    assert.equal(await readFile(join(root, 'proc/self/oom_score_adj'), 'utf8'), 'untouched')
  })

  it('refuses a working directory outside the root', async () => {
    const root = await image(async () => undefined)
    for (let fd = 3; fd < 12; fd++) {
      // One of them is the root's own descriptor: that is inside.
      const where = await run(root, [], 'readlink /proc/self/cwd', [
        { op: 'chdir', path: `/proc/self/fd/${fd}` },
      ]).catch((error: { code: string }) => error.code)
      assert.match(where, /^(\/\n|ENOENT|ENOTDIR|EXDEV|EACCES)$/)
    }
    await assert.rejects(run(root, [], 'true', [{ op: 'chdir', path: '/nosuch' }]), {
      op: 'chdir',
      code: 'ENOENT',
    })
  })

  it('leaves no trace of its mounts on the host', async () => {
    const text = await readFile('/proc/self/mountinfo', 'utf8')
    assert.equal(text.includes(bench.dir), false)
    assert.equal((await stat(join(bench.dir, 'rootfs'))).isDirectory(), true)
  })

  it('a new file keeps to the root, and replaces nothing', async () => {
    const root = await image(async (path) => {
      await symlink(outside, join(path, 'run'))
      await symlink('/etc/passwd', join(path, 'taken'))
    })
    const file = (path: string): Op => ({
      op: 'file',
      path,
      data: Buffer.from('secret\n'),
      mode: 0o440,
      uid: 7,
      gid: 8,
    })
    const bound: Op = {
      op: 'bind',
      source: '/run/a',
      target: '/etc/b',
      flags: BIND_SOURCE_IN_ROOT,
      attr: MOUNT_ATTR_RDONLY,
      clear: 0n,
      propagation: MS_BIND_PROPAGATION_NONE,
    }
    const script = 'cat /etc/b; stat -c "%a %u %g" /run/a; echo x >/etc/b'
    const output = await run(root, [file('/run/a'), bound], script)
    assert.match(output, /^secret\n440 7 8\n.*Read-only file system/)
    assert.equal(existsSync(join(outside, 'a')), false)
    await assert.rejects(run(root, [file('/taken')], 'true'), { code: 'EEXIST' })
  })
})
