import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ImageTable } from '@ctr/store'
import type { RemoveOptions } from '../src/index.ts'
import { type ArchiveOptions, dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

const BASE = tarOf([{ path: 'a', type: 'file', data: 'a' }])
const TOP = tarOf([{ path: 'b', type: 'file', data: 'b' }])
const CONTAINER = '0123456789abcdef'.repeat(4)

const NOBODY: RemoveOptions = { force: false, prune: true, usedBy: () => [] }
const usedBy =
  (running: boolean): RemoveOptions['usedBy'] =>
  () => [{ id: CONTAINER, running }]

async function withImage(
  tags: string[],
  body: (o: {
    test: ReturnType<typeof openTestImages>
    id: string
    short: string
  }) => Promise<void>,
): Promise<void> {
  await using test = openTestImages()
  await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['x:1'] })), {})
  const { id } = test.images.get('x:1')
  for (const tag of tags) test.images.tag(id, tag)
  if (!tags.includes('x:1')) new ImageTable(test.store).removeTag('docker.io/library/x', '1')
  await body({ test, id, short: id.slice(7, 19) })
}

async function load(
  test: ReturnType<typeof openTestImages>,
  layers: Buffer[],
  options: ArchiveOptions,
): Promise<void> {
  await test.images.load(streamOf(dockerArchive(layers, options)), {})
}

describe('remove', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('the last name takes the image and its layers along', async () => {
    await withImage(['x:1'], async ({ test, id }) => {
      const { diff_ids: diffIds } = test.images.get(id).config.rootfs
      const items = test.images.remove('x:1', NOBODY)
      assert.deepEqual(items.slice(0, 2), [{ Untagged: 'x:1' }, { Deleted: id }])
      assert.equal(items.length, 4)
      assert.deepEqual(items[3], { Deleted: diffIds[0] })
      assert.deepEqual(test.images.list(), [])
      await test.images[Symbol.asyncDispose]()
      assert.deepEqual(test.files(), [])
    })
  })

  it('one of several names only loses that name', async () => {
    await withImage(['x:1', 'y:1'], async ({ test, id }) => {
      assert.deepEqual(test.images.remove('x:1', NOBODY), [{ Untagged: 'x:1' }])
      assert.equal(test.images.get('y:1').id, id)
    })
  })

  it('by id with names in several repositories is refused without force', async () => {
    await withImage(['x:1', 'y:1'], async ({ test, id, short }) => {
      assert.throws(() => test.images.remove(short, NOBODY), {
        code: 'CONFLICT',
        message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
      })
      const items = test.images.remove(short, { ...NOBODY, force: true })
      assert.deepEqual(items.slice(0, 3), [
        { Untagged: 'x:1' },
        { Untagged: 'y:1' },
        { Deleted: id },
      ])
    })
  })

  it('by id with one name removes the name as well', async () => {
    await withImage(['x:1'], async ({ test, id }) => {
      assert.deepEqual(test.images.remove(id.slice(7, 15), NOBODY).slice(0, 2), [
        { Untagged: 'x:1' },
        { Deleted: id },
      ])
    })
  })

  it('the only name of an image that a container uses is refused', async () => {
    await withImage(['x:1'], async ({ test, short }) => {
      const options = { ...NOBODY, usedBy: usedBy(false) }
      assert.throws(() => test.images.remove('x:1', options), {
        code: 'CONFLICT',
        message: `conflict: unable to remove repository reference "x:1" (must force) - container ${CONTAINER.slice(0, 12)} is using its referenced image ${short}`,
      })
      assert.deepEqual(test.images.get('x:1').repoTags, ['x:1'])
    })
  })

  it('one of two names of a used image may go', async () => {
    await withImage(['x:1', 'y:1'], async ({ test }) => {
      const options = { ...NOBODY, usedBy: usedBy(true) }
      assert.deepEqual(test.images.remove('x:1', options), [{ Untagged: 'x:1' }])
    })
  })

  for (const [running, force, text] of [
    [true, true, 'cannot be forced) - image is being used by running container'],
    [true, false, 'cannot be forced) - image is being used by running container'],
    [false, false, 'must be forced) - image is being used by stopped container'],
  ] as const) {
    it(`by id used by a ${running ? 'running' : 'stopped'} container is refused${force ? ' also with force' : ''}`, async () => {
      await withImage(['x:1'], async ({ test, id, short }) => {
        assert.throws(
          () => test.images.remove(id, { force, prune: true, usedBy: usedBy(running) }),
          {
            code: 'CONFLICT',
            message: `conflict: unable to delete ${short} (${text} ${CONTAINER.slice(0, 12)}`,
          },
        )
        assert.deepEqual(test.images.get(id).repoTags, ['x:1'])
      })
    })
  }

  it('with force the image of a stopped container goes, its layers stay until the container goes', async () => {
    await withImage(['x:1'], async ({ test, id }) => {
      const { layerDirectories } = test.images.get(id)
      test.images.createContainerLayer('c1', id)
      test.images.holdLayers('c1', id)
      const options = { force: true, prune: true, usedBy: usedBy(false) }
      assert.deepEqual(test.images.remove(id, options), [{ Untagged: 'x:1' }, { Deleted: id }])
      assert.ok(layerDirectories.every((directory) => existsSync(directory)))
      assert.deepEqual(test.images.containerLayerIds(), ['c1'])
      await test.images.releaseLayers('c1')()
      assert.ok(layerDirectories.every((directory) => !existsSync(directory)))
      await test.images[Symbol.asyncDispose]()
      assert.deepEqual(test.files(), [])
    })
  })

  it('layers that another image needs stay', async () => {
    await using test = openTestImages()
    await load(test, [BASE, TOP], { tags: ['x:1'] })
    await load(test, [BASE], { tags: ['base:1'] })
    assert.equal(test.images.remove('x:1', NOBODY).length, 3)
    assert.equal(
      String(test.images.readRootFile(test.images.get('base:1').layerDirectories, '/a', 9)),
      'a',
    )
  })

  it('a parent without a name goes with its last child, unless asked not to', async () => {
    for (const prune of [true, false]) {
      await using test = openTestImages()
      await load(test, [BASE], {})
      const [base] = test.images.list()
      await load(test, [BASE, TOP], { tags: ['x:1'], parent: base?.id ?? '' })
      assert.equal(test.images.get('x:1').parentId, base?.id)
      const deleted = test.images
        .remove('x:1', { ...NOBODY, prune })
        .filter((item) => item.Deleted === base?.id)
      assert.equal(deleted.length, prune ? 1 : 0)
      assert.equal(test.images.list().length, prune ? 0 : 1)
    }
  })

  it('an unknown name is not found, with the text of Docker', async () => {
    await using test = openTestImages()
    for (const [ref, shown] of [
      ['nope', 'nope:latest'],
      ['docker.io/library/nope:2', 'nope:2'],
      ['abc123', 'abc123:latest'],
      [`sha256:${'1'.repeat(64)}`, `sha256:${'1'.repeat(64)}`],
      ['1'.repeat(64), `sha256:${'1'.repeat(64)}`],
    ] as const) {
      assert.throws(() => test.images.remove(ref, NOBODY), {
        code: 'NOT_FOUND',
        message: `No such image: ${shown}`,
      })
    }
    assert.throws(() => test.images.get('a//b'), { code: 'INVALID_ARGUMENT' })
  })
})

describe('prune', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('removes images without a tag that no container uses, and says how much space that gives', async () => {
    await using test = openTestImages()
    await load(test, [BASE], { tags: ['keep:1'] })
    await load(test, [TOP], {})
    const [dangling] = test.images.list({ filters: new Map([['dangling', ['true']]]) })
    const used = (id: string): { id: string; running: boolean }[] =>
      id === dangling?.id ? [{ id: CONTAINER, running: false }] : []
    assert.deepEqual(test.images.prune(new Map(), used).deleted, [])
    const { deleted, spaceReclaimed } = test.images.prune(new Map(), () => [])
    assert.equal(deleted[0]?.Deleted, dangling?.id)
    assert.equal(spaceReclaimed, 1)
    assert.equal(test.images.list().length, 1)
  })

  it('with dangling=false removes all that is unused, and obeys label and until', async () => {
    await using test = openTestImages()
    await load(test, [BASE], { tags: ['a:1'], config: { Labels: { keep: 'yes' } } })
    await load(test, [TOP], { tags: ['b:1'], created: '2020-01-01T00:00:00Z' })
    const all: [string, string[]] = ['dangling', ['false']]
    assert.equal(
      test.images.prune(new Map([all, ['until', ['2019-01-01']]]), () => []).deleted.length,
      0,
    )
    const { deleted } = test.images.prune(new Map([all, ['label!', ['keep=yes']]]), () => [])
    assert.deepEqual(deleted[0], { Untagged: 'b:1' })
    assert.deepEqual(
      test.images.list().map((image) => image.repoTags),
      [['a:1']],
    )
  })
})
