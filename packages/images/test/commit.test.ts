import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { lgetxattr, lsetxattr } from '@ctr/linux'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

const BASE = tarOf([
  { path: './', type: 'directory', mode: 0o755 },
  { path: 'bin', type: 'directory', mode: 0o755 },
  { path: 'bin/ls', type: 'file', mode: 0o755, data: 'ls' },
  { path: 'bin/cat', type: 'file', mode: 0o755, data: 'cat' },
  { path: 'd', type: 'directory', mode: 0o755 },
  { path: 'd/below', type: 'file', data: 'x' },
  { path: 'etc', type: 'directory', mode: 0o755 },
  { path: 'etc/passwd', type: 'file', data: 'root\n' },
])

const NOBODY = { force: false, prune: true, usedBy: () => [] }

/** A container's merged view of image x:1, mounted for the test. */
async function withOverlay(
  body: (o: {
    test: ReturnType<typeof openTestImages>
    merged: string
    upper: string
    commit: (reference?: string) => Promise<string>
  }) => Promise<void>,
): Promise<void> {
  await using test = openTestImages()
  await test.images.load(streamOf(dockerArchive([BASE], { tags: ['x:1'] })), {})
  const image = test.images.get('x:1')
  const { upper, work } = test.images.createContainerLayer('c1', image.id)
  const merged = join(test.root, 'merged')
  mkdirSync(merged)
  const lower = image.layerDirectories.join(':')
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=nofollow,metacopy=off`
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged])
  const commit = (reference?: string): Promise<string> =>
    test.images.commit({
      parentId: image.id,
      changes: { kind: 'container', upperDir: upper },
      config: { Cmd: ['new'] },
      ...(reference === undefined ? {} : { reference }),
      author: 'me',
      comment: 'note',
      createdBy: 'sh -c x',
    })
  try {
    await body({ test, merged, upper, commit })
  } finally {
    execFileSync('umount', [merged])
  }
}

describe('commit', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('takes over what a container has added, changed and removed', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      rmSync(join(merged, 'bin/ls'))
      appendFileSync(join(merged, 'etc/passwd'), 'more\n')
      rmSync(join(merged, 'd'), { recursive: true })
      mkdirSync(join(merged, 'd'))
      writeFileSync(join(merged, 'd/above'), 'y')
      const id = await commit('y:2')
      const image = test.images.get('y:2')
      assert.equal(image.id, id)
      const read = (path: string): string =>
        String(test.images.readRootFile(image.layerDirectories, path, 100))
      assert.equal(read('/bin/ls'), 'undefined')
      assert.equal(read('/bin/cat'), 'cat')
      assert.equal(read('/etc/passwd'), 'root\nmore\n')
      assert.equal(read('/d/below'), 'undefined')
      assert.equal(read('/d/above'), 'y')
      assert.equal(image.layerDirectories.length, 2)
      assert.deepEqual(image.config.config, { Cmd: ['new'] })
      assert.equal(image.config.author, 'me')
      assert.equal(image.comment, 'note')
      assert.equal(image.parentId, test.images.get('x:1').id)
      const [step, ...rest] = test.images.history('y:2')
      assert.equal(step?.id, id)
      assert.equal(step?.createdBy, 'sh -c x')
      assert.equal(step?.comment, 'note')
      assert.deepEqual(step?.tags, ['y:2'])
      assert.equal(rest[0]?.id, image.parentId)
    })
  })

  it('writes whiteouts as the image-spec says, for engines that are not on overlay', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      rmSync(join(merged, 'bin/ls'))
      rmSync(join(merged, 'd'), { recursive: true })
      mkdirSync(join(merged, 'd'))
      await commit('y:2')
      const archive = Buffer.concat(await test.images.save(['y:2']).toArray())
      const layer = memberNames(archive, 2)
      assert.deepEqual(layer.sort(), ['bin/', 'bin/.wh.ls', 'd/', 'd/.wh..wh..opq'])
    })
  })

  it('keeps hard links, attributes, owners, times and nodes; sockets stay out', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      const path = (name: string): string => join(merged, name)
      writeFileSync(path('a'), 'linked')
      linkSync(path('a'), path('b'))
      lsetxattr(path('a'), 'user.note', Buffer.from([0, 1, 255]))
      symlinkSync('/nowhere/x', path('s'))
      execFileSync('mkfifo', [path('fifo')])
      execFileSync('mknod', [path('zero'), 'c', '1', '5'])
      chownSync(path('a'), 12, 70_000)
      chmodSync(path('a'), 0o4711)
      execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', path('a')])
      const server = createServer().listen(path('socket'))
      await new Promise((resolve) => server.once('listening', resolve))
      try {
        await commit('y:2')
      } finally {
        server.close()
      }
      const [top = ''] = test.images.get('y:2').layerDirectories
      assert.deepEqual(readdirSync(top).sort(), ['a', 'b', 'fifo', 's', 'zero'])
      const a = lstatSync(join(top, 'a'), { bigint: true })
      assert.equal(lstatSync(join(top, 'b'), { bigint: true }).ino, a.ino)
      assert.deepEqual([a.uid, a.gid, a.mode & 0o7777n], [12n, 70_000n, 0o4711n])
      assert.equal(a.mtimeNs, 981_173_106_123_456_789n)
      assert.deepEqual(lgetxattr(join(top, 'a'), 'user.note'), Buffer.from([0, 1, 255]))
      assert.ok(lstatSync(join(top, 'fifo')).isFIFO())
      assert.equal(lstatSync(join(top, 'zero')).rdev, 0x105)
    })
  })

  it('without changes adds no layer, and still makes an image', async () => {
    await withOverlay(async ({ test, commit }) => {
      const id = await commit('y:2')
      const image = test.images.get(id)
      assert.deepEqual(image.config.rootfs.diff_ids, test.images.get('x:1').config.rootfs.diff_ids)
      assert.equal(image.config.history?.at(-1)?.empty_layer, true)
    })
  })

  it('a changed root directory is part of the image', async () => {
    await withOverlay(async ({ test, merged, upper, commit }) => {
      chmodSync(merged, 0o750)
      assert.equal(statSync(upper).mode & 0o7777, 0o750)
      const image = test.images.get(await commit())
      const layer = test.images.createContainerLayer('c2', image.id)
      assert.equal(statSync(layer.upper).mode & 0o7777, 0o750)
    })
  })

  it('a name that exists moves to the new image', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      const old = test.images.get('x:1').id
      writeFileSync(join(merged, 'n'), 'n')
      const id = await commit('x:1')
      assert.equal(test.images.get('x:1').id, id)
      assert.deepEqual(test.images.get(old).repoTags, [])
      // The old one has no name and a child: a list does not show it.
      assert.deepEqual(
        test.images.list().map((image) => image.id),
        [id],
      )
      assert.equal(test.images.list({ all: true }).length, 2)
      assert.throws(() => test.images.remove(old, NOBODY), /image has dependent child images/)
    })
  })

  it('never leaves the directory, whatever a container does meanwhile', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      const secret = join(test.root, 'secret')
      mkdirSync(secret)
      writeFileSync(join(secret, 'token'), 'host secret')
      for (let number = 0; number < 200; number++) {
        mkdirSync(join(merged, `dir${number}`))
        writeFileSync(join(merged, `dir${number}/token`), 'mine')
      }
      const committing = commit('y:2')
      let rounds = 0
      let isDone = false
      void committing.finally(() => {
        isDone = true
      })
      while (!isDone && rounds < 5000) {
        const victim = join(merged, `dir${rounds % 200}`)
        renameSync(victim, `${victim}.moved`)
        symlinkSync(secret, victim)
        rmSync(victim)
        renameSync(`${victim}.moved`, victim)
        rounds += 1
        if (rounds % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await committing
      const archive = Buffer.concat(await test.images.save(['y:2']).toArray())
      assert.ok(!archive.includes('host secret'))
      assert.ok(rounds > 0)
    })
  })

  it('files that grow or shrink while they are read do not break the archive', async () => {
    await withOverlay(async ({ test, merged, commit }) => {
      for (let number = 0; number < 100; number++) {
        writeFileSync(join(merged, `file${number}`), Buffer.alloc(200_000, 1))
      }
      const committing = commit('y:2')
      let isDone = false
      void committing.finally(() => {
        isDone = true
      })
      for (let round = 0; !isDone; round++) {
        writeFileSync(
          join(merged, `file${round % 100}`),
          Buffer.alloc(round % 2 === 0 ? 10 : 300_000),
        )
        if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await committing
      assert.equal(test.images.get('y:2').layerDirectories.length, 2)
    })
  })

  it('is refused for a digest as the new name, and for an unknown image', async () => {
    await using test = openTestImages()
    const upperDir = join(test.root, 'upper')
    mkdirSync(upperDir)
    const changes = { kind: 'container', upperDir } as const
    const o = { changes, config: {}, author: '', comment: '', createdBy: '' }
    await assert.rejects(
      test.images.commit({ ...o, parentId: undefined, reference: `a@sha256:${'0'.repeat(64)}` }),
      { code: 'INVALID_ARGUMENT' },
    )
    await assert.rejects(test.images.commit({ ...o, parentId: `sha256:${'0'.repeat(64)}` }), {
      code: 'NOT_FOUND',
    })
    assert.deepEqual(test.files(), [])
    assert.ok(existsSync(upperDir))
  })
})

/** Members of the n-th blob of a saved archive that is a layer with whiteouts, by walking its headers. */
function memberNames(archive: Buffer, count: number): string[] {
  const blobs: Buffer[] = []
  for (const [name, data] of members(archive))
    if (name.startsWith('blobs/sha256/') && data.length > 1024) blobs.push(data)
  assert.equal(blobs.length, count)
  return [...members(blobs.at(-1) ?? Buffer.alloc(0))].map(([name]) => name)
}

function* members(archive: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; archive[at] !== 0 && at < archive.length; ) {
    const name = archive.toString('latin1', at, at + 100).replace(/\0.*$/, '')
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8)
    const isMeta = archive[at + 156] === 'x'.charCodeAt(0)
    if (!isMeta) yield [name, archive.subarray(at + 512, at + 512 + size)]
    at += 512 + Math.ceil(size / 512) * 512
  }
}
