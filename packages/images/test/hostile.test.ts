import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { createGzip } from 'node:zlib'
import { lgetxattr } from '@ctr/linux'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

type Members = Parameters<typeof tarOf>[0]

/** Loads an image of these layers and gives the directory of the top one. */
async function load(
  test: ReturnType<typeof openTestImages>,
  ...layers: Members[]
): Promise<{ top: string; directories: readonly string[] }> {
  const archive = dockerArchive(
    layers.map((members) => tarOf(members)),
    { tags: ['x:1'] },
  )
  await test.images.load(streamOf(archive), {})
  const { layerDirectories } = test.images.get('x:1')
  return { top: layerDirectories[0] ?? '', directories: layerDirectories }
}

describe('a hostile layer', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const refused: Record<string, Members> = {
    'a path that leads out by ..': [{ path: '../../evil', type: 'file', data: 'x' }],
    'a path that leads out in the middle': [{ path: 'a/../../evil', type: 'file', data: 'x' }],
    'a hardlink to outside': [
      { path: 'link', type: 'hardlink', linkTarget: '../../../etc/passwd' },
    ],
    'a hardlink to what is not in the layer': [
      { path: 'link', type: 'hardlink', linkTarget: '/etc/passwd' },
    ],
    'a hardlink through a symlink to outside': [
      { path: 'etc', type: 'symlink', linkTarget: '/etc' },
      { path: 'link', type: 'hardlink', linkTarget: 'etc/passwd' },
    ],
    'a hardlink to a directory': [
      { path: 'd', type: 'directory', mode: 0o755 },
      { path: 'link', type: 'hardlink', linkTarget: 'd' },
    ],
    'a member below a file': [
      { path: 'f', type: 'file', data: 'x' },
      { path: 'f/g', type: 'file', data: 'x' },
    ],
    'symlinks in a circle': [
      { path: 'a', type: 'symlink', linkTarget: 'b' },
      { path: 'b', type: 'symlink', linkTarget: 'a' },
      { path: 'a/x', type: 'file', data: 'x' },
    ],
    'a file that names the root': [{ path: './', type: 'symlink', linkTarget: '/etc' }],
    'a whiteout of the directory itself': [{ path: 'd/.wh..', type: 'file' }],
    'a whiteout of the parent': [{ path: 'd/.wh...', type: 'file' }],
    'a whiteout without a name': [{ path: 'd/.wh.', type: 'file' }],
    'a name that is too long': [{ path: 'n'.repeat(300), type: 'file' }],
    'a path that is too long': [{ path: 'd/'.repeat(3000), type: 'directory' }],
  }
  for (const [name, members] of Object.entries(refused)) {
    it(`${name} is refused and leaves nothing`, async () => {
      await using test = openTestImages()
      await assert.rejects(load(test, members), { code: 'INVALID_ARGUMENT' })
      assert.deepEqual(test.images.list(), [])
      assert.deepEqual(test.files(), [])
    })
  }

  it('a symlink in the middle of a path is resolved inside the layer, never followed', async () => {
    await using test = openTestImages()
    const outside = mkdtempSync('/tmp/ctr-images-test-outside-')
    try {
      const { top } = await load(test, [
        { path: 'link', type: 'symlink', linkTarget: outside },
        { path: 'link/evil', type: 'file', data: 'x' },
        { path: 'up', type: 'symlink', linkTarget: '../../../../../../../../tmp' },
        { path: 'up/evil2', type: 'file', data: 'x' },
      ])
      assert.deepEqual(readdirSync(outside), [])
      assert.ok(existsSync(join(top, outside, 'evil')))
      assert.ok(existsSync(join(top, 'tmp/evil2')))
      assert.ok(!existsSync('/tmp/evil2'))
    } finally {
      rmSync(outside, { recursive: true })
    }
  })

  it('a directory that replaces a symlink does not touch what the symlink names', async () => {
    await using test = openTestImages()
    const before = lstatSync('/etc').mode
    const { top } = await load(test, [
      { path: 'etc', type: 'symlink', linkTarget: '/etc' },
      { path: 'etc', type: 'directory', mode: 0o700 },
      { path: 'etc/x', type: 'file', data: 'mine' },
    ])
    assert.equal(lstatSync('/etc').mode, before)
    assert.equal(readFileSync(join(top, 'etc/x'), 'utf8'), 'mine')
    assert.equal(lstatSync(join(top, 'etc')).mode & 0o7777, 0o700)
  })

  it('the last of several members with one name wins', async () => {
    await using test = openTestImages()
    const { top } = await load(test, [
      { path: 'a', type: 'file', data: 'first, and longer' },
      { path: 'a', type: 'file', data: 'second' },
      { path: 'd', type: 'directory', mode: 0o700 },
      { path: 'd/inside', type: 'file', data: 'x' },
      { path: 'd', type: 'directory', mode: 0o755 },
      { path: 'e', type: 'directory' },
      { path: 'e/inside', type: 'file', data: 'x' },
      { path: 'e', type: 'file', data: 'now a file' },
    ])
    assert.equal(readFileSync(join(top, 'a'), 'utf8'), 'second')
    assert.equal(readFileSync(join(top, 'd/inside'), 'utf8'), 'x')
    assert.equal(lstatSync(join(top, 'd')).mode & 0o7777, 0o755)
    assert.equal(readFileSync(join(top, 'e'), 'utf8'), 'now a file')
  })

  it('what was below a directory that gave way is forgotten', async () => {
    await using test = openTestImages()
    const { top } = await load(test, [
      { path: 'elsewhere', type: 'directory', mode: 0o755 },
      { path: 'd/inner', type: 'directory', mode: 0o755 },
      { path: 'd/inner/link', type: 'symlink', linkTarget: '/elsewhere' },
      { path: 'd/.wh.gone', type: 'file' },
      { path: 'd', type: 'file', data: 'now a file' },
      { path: 'd', type: 'directory', mode: 0o755 },
      { path: 'd/inner/link/x', type: 'file', data: 'mine' },
      { path: 'd/gone', type: 'directory', mode: 0o755 },
    ])
    assert.equal(readFileSync(join(top, 'd/inner/link/x'), 'utf8'), 'mine')
    assert.deepEqual(readdirSync(join(top, 'elsewhere')), [])
    assert.equal(lgetxattr(join(top, 'd/gone'), 'trusted.overlay.opaque'), undefined)
  })

  it('writing to a replaced hardlink does not change the other name', async () => {
    await using test = openTestImages()
    const { top } = await load(test, [
      { path: 'a', type: 'file', data: 'kept' },
      { path: 'b', type: 'hardlink', linkTarget: 'a' },
      { path: 'b', type: 'file', data: 'new' },
    ])
    assert.equal(readFileSync(join(top, 'a'), 'utf8'), 'kept')
  })

  it('whiteouts become overlay whiteouts, and hide the layers below', async () => {
    await using test = openTestImages()
    const { top, directories } = await load(
      test,
      [
        { path: 'gone', type: 'file', data: 'x' },
        { path: 'd', type: 'directory', mode: 0o755 },
        { path: 'd/below', type: 'file', data: 'x' },
      ],
      [
        { path: '.wh.gone', type: 'file' },
        { path: 'd/.wh..wh..opq', type: 'file' },
        { path: 'd/above', type: 'file', data: 'y' },
        { path: '.wh..wh.plnk', type: 'file' },
      ],
    )
    const gone = lstatSync(join(top, 'gone'))
    assert.ok(gone.isCharacterDevice() && gone.rdev === 0)
    assert.equal(lgetxattr(join(top, 'd'), 'trusted.overlay.opaque')?.toString(), 'y')
    assert.deepEqual(readdirSync(top).sort(), ['d', 'gone'])
    const read = (path: string): unknown => test.images.readRootFile(directories, path, 100)
    assert.equal(read('/gone'), undefined)
    assert.equal(read('/d/below'), undefined)
    assert.equal(String(read('/d/above')), 'y')
  })

  it('a whiteout beside a new directory of that name makes it opaque', async () => {
    await using test = openTestImages()
    const { top } = await load(
      test,
      [{ path: 'd/below', type: 'file', data: 'x' }],
      [
        { path: '.wh.d', type: 'file' },
        { path: 'd/above', type: 'file', data: 'y' },
      ],
    )
    assert.equal(lgetxattr(join(top, 'd'), 'trusted.overlay.opaque')?.toString(), 'y')
  })

  it('attributes of overlay itself cannot come from an archive; others do', async () => {
    await using test = openTestImages()
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    const { top } = await load(test, [
      {
        path: 'ping',
        type: 'file',
        mode: 0o755,
        data: 'x',
        xattrs: new Map([
          ['security.capability', capability],
          ['trusted.overlay.redirect', Buffer.from('/etc')],
          ['user.bytes', Buffer.from([0, 255, 10, 61])],
        ]),
      },
    ])
    assert.deepEqual(lgetxattr(join(top, 'ping'), 'security.capability'), capability)
    assert.deepEqual(lgetxattr(join(top, 'ping'), 'user.bytes'), Buffer.from([0, 255, 10, 61]))
    assert.equal(lgetxattr(join(top, 'ping'), 'trusted.overlay.redirect'), undefined)
  })

  it('a directory without a member of its own has the attributes of the one below', async () => {
    await using test = openTestImages()
    const { top } = await load(
      test,
      [
        { path: './', type: 'directory', mode: 0o711 },
        { path: 'tmp', type: 'directory', mode: 0o1777, uid: 3, gid: 4 },
      ],
      [{ path: 'tmp/x/y', type: 'file', data: 'y' }],
    )
    const { mode, uid, gid } = lstatSync(join(top, 'tmp'))
    assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 3, 4])
    assert.equal(lstatSync(join(top, 'tmp/x')).mode & 0o7777, 0o755)
    assert.equal(lstatSync(top).mode & 0o7777, 0o711)
  })

  it('nodes, owners, times, set-uid bits and names that are not UTF-8 arrive', async () => {
    await using test = openTestImages()
    const { top } = await load(test, [
      { path: 'null', type: 'character', mode: 0o666, major: 1, minor: 3 },
      { path: 'disk', type: 'block', mode: 0o600, major: 259, minor: 70000 },
      { path: 'fifo', type: 'fifo', mode: 0o622 },
      { path: 'su', type: 'file', mode: 0o4755, uid: 1000, gid: 70000, data: 'x' },
      { path: 'time', type: 'file', mtimeSeconds: -1, mtimeNanoseconds: 250_000_000 },
      { path: 'bytes-\xff\xfe', type: 'file', data: 'x' },
      { path: 'link', type: 'symlink', linkTarget: '/nowhere', uid: 5, mtimeSeconds: 77 },
    ])
    const output = execFileSync(
      'stat',
      ['-c', '%n %F %a %u:%g %t:%T', 'null', 'disk', 'fifo', 'su'],
      {
        cwd: top,
        encoding: 'utf8',
      },
    )
    assert.equal(
      output,
      'null character special file 666 0:0 1:3\ndisk block special file 600 0:0 103:11170\n' +
        'fifo fifo 622 0:0 0:0\nsu regular file 4755 1000:70000 0:0\n',
    )
    assert.equal(lstatSync(join(top, 'time'), { bigint: true }).mtimeNs, -750_000_000n)
    assert.ok(readdirSync(top, { encoding: 'latin1' }).includes('bytes-\xff\xfe'))
    const link = lstatSync(join(top, 'link'))
    assert.deepEqual([link.uid, link.mtimeMs], [5, 77_000])
  })
})

it('what follows the end of an archive is not kept in memory', async () => {
  await using test = openTestImages()
  const mebibytes = 400
  const zeros = Buffer.alloc(1 << 20)
  let peak = 0
  async function* bytes(): AsyncGenerator<Buffer> {
    const gzip = createGzip({ level: 1 })
    void pipeline(Readable.from(Array.from({ length: mebibytes }, () => zeros)), gzip)
    for await (const chunk of gzip) {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers)
      yield chunk as Buffer
    }
  }
  await assert.rejects(test.images.load(Readable.from(bytes()), {}), /invalid archive/)
  assert.ok(peak < (mebibytes << 20) / 2, `${peak} bytes`)
})
