// needs root and overlay
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { killContainer, startContainer } from '@ctr/engine'
import { TestEngine } from './support.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'

describe('mounts of images and of parts of volumes', { skip }, () => {
  let t: TestEngine
  before(async () => {
    t = await TestEngine.open({ bridge: { kind: 'none' } })
  })
  after(async () => {
    await t[Symbol.asyncDispose]()
  })

  async function run(script: string, hostConfig: object): Promise<string> {
    const { exitCode, stdout, stderr } = await t.run(['sh', '-c', script], { hostConfig })
    return exitCode === 0 ? stdout : `${exitCode}: ${stderr}`
  }

  const volume = (Subpath: string, more: object = {}) => ({
    Mounts: [{ Type: 'volume', Source: 'data', Target: '/v', VolumeOptions: { Subpath } }],
    ...more,
  })
  const image = (Subpath: string, more: object = {}) => ({
    Mounts: [{ Type: 'image', Source: 'busybox', Target: '/i', ImageOptions: { Subpath } }],
    ...more,
  })

  test('a bind keeps the flags of its source, and a read-only one too', async () => {
    const source = join(t.config.dataRoot, 'flagged')
    mkdirSync(source)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nosuid,nodev,noexec', 'tmpfs', source])
    try {
      const flags = 'awk \'$5 == "/b" {print $6}\' /proc/self/mountinfo'
      for (const [mode, expected] of [
        ['', 'rw,nosuid,nodev,noexec,relatime\n'],
        [':ro', 'ro,nosuid,nodev,noexec,relatime\n'],
      ] as const) {
        for (const more of [{}, { UsernsMode: 'auto' }]) {
          assert.equal(await run(flags, { Binds: [`${source}:/b${mode}`], ...more }), expected)
        }
      }
      execFileSync('mount', ['-o', 'remount,bind,ro', source])
      // Neither the host's root nor that of a user namespace asks for more than there is.
      for (const more of [{}, { UsernsMode: 'auto' }]) {
        assert.match(await run(flags, { Binds: [`${source}:/b:rw`], ...more }), /^ro,/)
      }
    } finally {
      execFileSync('umount', [source])
    }
  })

  test('a directory of a volume', async () => {
    await run('mkdir -p /v/a/b; echo text >/v/a/b/f', { Binds: ['data:/v'] })
    for (const more of [{}, { UsernsMode: 'auto' }]) {
      assert.equal(await run('cat /v/f; ls /v; echo x >>/v/g', volume('a/b', more)), 'text\nf\n')
      await run('rm /v/g', volume('a/b'))
    }
    await assert.rejects(run('true', volume('missing')), /no such file|ENOENT/i)
    await assert.rejects(run('true', volume('../x')), /must be a relative path/)
  })

  test('a symlink in a volume leads nowhere else', async () => {
    const { source } = { source: join(t.config.dataRoot, 'volumes/data/_data') }
    const secret = join(t.config.dataRoot, 'secret')
    mkdirSync(secret)
    writeFileSync(join(secret, 'f'), 'secret\n')
    const links = {
      out: secret,
      up: '../../../secret',
      etc: '/etc',
      // Where it would be mounted nothing hides or protects parts of it: the host's core_pattern could be written.
      proc: '/proc',
      'kernel-of-proc': '../../../../../../../../proc/sys/kernel',
      magic: '/proc/self/root',
    }
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(source, name))
    for (const more of [{}, { UsernsMode: 'auto' }]) {
      for (const name of Object.keys(links)) {
        await assert.rejects(run('true', volume(name, more)), /EXDEV/, name)
      }
    }
    symlinkSync('a/../a/b', join(source, 'within'))
    assert.equal(await run('cat /v/f', volume('within')), 'text\n')
  })

  test('a directory of a volume that is exchanged for a symlink leads nowhere else', async () => {
    const swap =
      'cd /w; ln -s /proc l; mkdir d; touch d/in; while :; do mv d x; mv l d; mv d l; mv x d; done'
    const racer = await t.create(['sh', '-c', swap], { hostConfig: { Binds: ['raced:/w'] } })
    await startContainer(t.engine, racer)
    const found = new Set<string>()
    for (let count = 0; count < 20; count++) {
      const mounts = {
        Type: 'volume',
        Source: 'raced',
        Target: '/v',
        VolumeOptions: { Subpath: 'd' },
      }
      found.add(await run('ls /v', { Mounts: [mounts] }).catch(() => 'refused'))
    }
    await killContainer(t.engine, racer, 'SIGKILL')
    assert.deepEqual(
      [...found].filter((seen) => !['in\n', 'refused'].includes(seen)),
      [],
    )
  })

  test('an image, read-only, and a directory of it', async () => {
    for (const more of [{}, { UsernsMode: 'auto' }]) {
      assert.equal(
        await run(
          'stat -c %u /i/bin/busybox; touch /i/x 2>&1 | grep -o Read-only',
          image('', more),
        ),
        '0\nRead-only\n',
      )
      assert.equal(
        await run('test -e /i/busybox && ! touch /i/x 2>/dev/null && echo ok', image('bin', more)),
        'ok\n',
      )
    }
    const none = { Mounts: [{ Type: 'image', Source: 'nonesuch', Target: '/i' }] }
    await assert.rejects(run('true', none), /No such image: nonesuch/)
  })
})
