import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { digestOf } from '@ctr/oci'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

const BASE = tarOf([{ path: 'a', type: 'file', data: 'a' }])
const TOP = tarOf([{ path: 'b', type: 'file', data: 'bb' }])

describe('list', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const names = (images: readonly { repoTags: readonly string[] }[]): string[] =>
    images.map((image) => image.repoTags.join(' '))

  it('shows images newest first, and filters them', async () => {
    await using test = openTestImages()
    const load = async (tags: string[], created: string, labels: object): Promise<void> => {
      const options = { tags, created, config: { Labels: labels } }
      await test.images.load(streamOf(dockerArchive([BASE], options)), {})
    }
    await load(['old:1'], '2020-01-01T00:00:00Z', { a: '1', b: '2' })
    await load(['mid:1', 'reg.io/p/mid:v2'], '2021-01-01T00:00:00Z', { a: '2' })
    await load([], '2022-01-01T00:00:00Z', {})
    assert.deepEqual(names(test.images.list()), ['', 'mid:1 reg.io/p/mid:v2', 'old:1'])
    const list = (...filters: [string, string[]][]): string[] =>
      names(test.images.list({ filters: new Map(filters) }))
    assert.deepEqual(list(['dangling', ['true']]), [''])
    assert.deepEqual(list(['dangling', ['false']]), ['mid:1 reg.io/p/mid:v2', 'old:1'])
    assert.deepEqual(list(['label', ['a']]), ['mid:1 reg.io/p/mid:v2', 'old:1'])
    assert.deepEqual(list(['label', ['a=1', 'b=2']]), ['old:1'])
    assert.deepEqual(list(['before', ['mid:1']]), ['old:1'])
    assert.deepEqual(list(['since', ['old:1']]), ['', 'mid:1 reg.io/p/mid:v2'])
    assert.deepEqual(list(['until', ['2020-06-01T00:00:00']]), ['old:1'])
    assert.deepEqual(list(['reference', ['mid']]), ['mid:1'])
    assert.deepEqual(list(['reference', ['*:1']]), ['mid:1', 'old:1'])
    assert.deepEqual(list(['reference', ['reg.io/*/m?d']]), ['reg.io/p/mid:v2'])
    assert.deepEqual(list(['reference', ['o[lx]d:[!x]']]), [])
    assert.throws(() => list(['dangling', ['maybe']]), { code: 'INVALID_ARGUMENT' })
    assert.deepEqual(list(['reference', ['m**\\d*']]), ['mid:1'])
    assert.deepEqual(list(['reference', ['*/mid']]), [])
    // What held up the engine for ever.
    assert.deepEqual(list(['reference', [`${'*'.repeat(200)}x`]]), [])
    assert.throws(() => list(['reference', ['[a']]), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => list(['before', ['nope']]), { code: 'NOT_FOUND' })
  })

  it('a name wins over the beginning of an id; an ambiguous beginning is said to be', async () => {
    await using test = openTestImages()
    for (let user = 0; user < 17; user++) {
      await test.images.load(streamOf(dockerArchive([BASE], { config: { User: `${user}` } })), {})
    }
    const ids = test.images.list().map((image) => image.id.slice(7))
    const twice = ids.find((id) => ids.some((other) => other !== id && other[0] === id[0])) ?? ''
    assert.throws(() => test.images.get(twice[0] ?? ''), /ambiguous/)
    const [first = '', second = ''] = ids
    assert.equal(test.images.get(first.slice(0, 20)).id, `sha256:${first}`)
    assert.equal(test.images.get(`sha256:${first.slice(0, 20)}`).id, `sha256:${first}`)
    test.images.tag(second, first.slice(0, 20))
    assert.equal(test.images.get(first.slice(0, 20)).id, `sha256:${second}`)
    for (const ref of ['busybox', 'docker.io/busybox', 'index.docker.io/library/busybox:latest']) {
      test.images.tag(first, 'busybox')
      assert.equal(test.images.get(ref).id, `sha256:${first}`)
    }
  })
})

describe('history', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('shows steps newest first with their sizes; steps without a layer are empty', async () => {
    await using test = openTestImages()
    const config = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(BASE), digestOf(TOP)] },
      history: [
        { created: '2020-01-01T00:00:00Z', created_by: 'ADD a' },
        { created_by: 'ENV x', empty_layer: true },
        { created_by: 'ADD b', comment: 'note' },
      ],
    }
    const archive = tarOf([
      { path: 'c.json', type: 'file', data: JSON.stringify(config) },
      { path: '0', type: 'file', data: BASE },
      { path: '1', type: 'file', data: TOP },
      {
        path: 'manifest.json',
        type: 'file',
        data: JSON.stringify([{ Config: 'c.json', Layers: ['0', '1'], RepoTags: ['h:1'] }]),
      },
    ])
    await test.images.load(streamOf(archive), {})
    const items = test.images.history('h:1')
    assert.deepEqual(
      items.map(({ createdBy, size, comment }) => [createdBy, size, comment]),
      [
        ['ADD b', 2, 'note'],
        ['ENV x', 0, ''],
        ['ADD a', 1, ''],
      ],
    )
    assert.deepEqual(
      items.map(({ id }) => id),
      [test.images.get('h:1').id, '<missing>', '<missing>'],
    )
  })
})

describe('import', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('makes an image of one layer, with the changes asked for', async () => {
    await using test = openTestImages()
    for (const tar of [BASE, gzipSync(BASE)]) {
      const id = await test.images.import(streamOf(tar), {
        reference: 'imp',
        message: 'mine',
        changes: ['CMD ["sh", "-c", "id"]', 'ENV A=1 B="two words"', 'USER 5'],
      })
      const image = test.images.get('imp:latest')
      assert.equal(image.id, id)
      assert.deepEqual(image.config.rootfs.diff_ids, [digestOf(BASE)])
      assert.deepEqual(image.config.config, {
        Cmd: ['sh', '-c', 'id'],
        Env: ['A=1', 'B=two words'],
        User: '5',
      })
      assert.equal(image.comment, 'mine')
    }
  })

  it('refuses what is no archive, bad changes and bad names, and leaves nothing', async () => {
    await using test = openTestImages()
    const refused: [Buffer, { reference?: string; changes?: string[]; platform?: string }][] = [
      [Buffer.from('no archive at all'.repeat(100)), {}],
      [BASE.subarray(0, 700), {}],
      [BASE, { reference: 'UPPER' }],
      [BASE, { reference: `a@sha256:${'0'.repeat(64)}` }],
      [BASE, { changes: ['RUN rm -rf /'] }],
      [BASE, { platform: 'windows/amd64' }],
    ]
    for (const [tar, options] of refused) {
      const importing = test.images.import(streamOf(tar), { changes: [], ...options })
      await assert.rejects(importing, { code: 'INVALID_ARGUMENT' })
      assert.deepEqual(test.files(), [])
      assert.deepEqual(test.images.list(), [])
    }
  })
})

describe('reconcile', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('removes what a crash left, and nothing else', async () => {
    await using test = openTestImages()
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['x:1'] })), {})
    await test.images.reconcile() // the layer of mount points is made by it
    const before = test.files('snapshots', 'content/blobs/sha256')
    mkdirSync(join(test.root, 'snapshots/17'))
    writeFileSync(join(test.root, 'snapshots/17/file'), 'x')
    writeFileSync(join(test.root, 'content/blobs/sha256', '0'.repeat(64)), 'x')
    mkdirSync(join(test.root, 'tmp/load-0123456789abcdef/s1/deep'), { recursive: true })
    await test.images.reconcile()
    await test.images[Symbol.asyncDispose]()
    assert.deepEqual(test.files(), before)
    assert.equal(
      String(test.images.readRootFile(test.images.get('x:1').layerDirectories, '/b', 9)),
      'bb',
    )
  })
})
