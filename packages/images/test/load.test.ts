import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { ProgressMessage } from '@ctr/api'
import { digestOf } from '@ctr/oci'
import { buildBusyboxImage } from '../src/index.ts'
import { dockerArchive, imageConfig, openTestImages, streamOf, tarOf } from './fixture.ts'

const BASE = tarOf([
  { path: 'bin', type: 'directory', mode: 0o755 },
  { path: 'bin/sh', type: 'file', mode: 0o755, data: '#!'.repeat(5000) },
])
const TOP = tarOf([{ path: 'etc/motd', type: 'file', data: 'hello' }])

describe('load', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('makes the image with the id, names and size that dockerd gives it', async () => {
    await using test = openTestImages()
    const archive = dockerArchive([BASE, TOP], { tags: ['busybox', 'localhost:5000/a/b:v1'] })
    const messages: ProgressMessage[] = []
    const { loaded } = await test.images.load(streamOf(archive), {
      onProgress: (message) => messages.push(message),
    })
    assert.deepEqual(loaded, ['busybox:latest', 'localhost:5000/a/b:v1'])
    const image = test.images.get('busybox')
    assert.equal(image.id, `sha256:${imageConfig([BASE, TOP]).id}`)
    assert.deepEqual(image.repoTags, ['busybox:latest', 'localhost:5000/a/b:v1'])
    assert.equal(image.size, 10_005)
    assert.equal(image.createdAtNs, 1_714_979_289_123_456_789n)
    assert.deepEqual(
      messages.map(({ status, stream }) => status ?? stream),
      [
        'Loading layer',
        'Loading layer',
        'Loaded image: busybox:latest\n',
        'Loaded image: localhost:5000/a/b:v1\n',
      ],
    )
    assert.deepEqual(test.images.snapshotLayers(image.id), ['snapshots/2', 'snapshots/1'])
  })

  for (const [name, compress] of [
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['bzip2', (data: Buffer) => execFileSync('bzip2', ['-c'], { input: data })],
    ['xz', (data: Buffer) => execFileSync('xz', ['-c'], { input: data })],
  ] as const) {
    it(`reads ${name}, of the whole archive and of a layer in it`, async () => {
      await using test = openTestImages()
      const layer = Buffer.from(compress(BASE))
      const { config, id } = imageConfig([BASE])
      const archive = tarOf([
        { path: 'config.json', type: 'file', data: config },
        { path: 'l', type: 'file', data: layer },
        {
          path: 'manifest.json',
          type: 'file',
          data: JSON.stringify([{ Config: 'config.json', Layers: ['l'], RepoTags: ['z:1'] }]),
        },
      ])
      await test.images.load(streamOf(Buffer.from(compress(archive))), {})
      assert.equal(test.images.get('z:1').id, `sha256:${id}`)
      assert.ok(test.files().includes(`content/blobs/sha256/${digestOf(layer).slice(7)}`))
    })
  }

  it('an archive cut short anywhere leaves nothing', async () => {
    await using test = openTestImages()
    const archive = dockerArchive([BASE, TOP], { tags: ['x:1'] })
    const end = archive.lastIndexOf(']') + 1
    for (let length = 0; length < end; length += Math.ceil(end / 40)) {
      await assert.rejects(test.images.load(streamOf(archive.subarray(0, length)), {}), {
        code: 'INVALID_ARGUMENT',
      })
      assert.deepEqual(test.files(), [], `cut at ${length}`)
      assert.deepEqual(test.images.list(), [])
    }
  })

  it('a compressed archive cut short, or with a changed byte, leaves nothing', async () => {
    await using test = openTestImages()
    const archive = gzipSync(dockerArchive([BASE, TOP], { tags: ['x:1'] }))
    const changed = Buffer.from(archive)
    changed[archive.length - 6] = (changed[archive.length - 6] ?? 0) ^ 1
    for (const broken of [archive.subarray(0, archive.length - 20), changed]) {
      await assert.rejects(test.images.load(streamOf(broken), {}), { code: 'INVALID_ARGUMENT' })
      assert.deepEqual(test.files(), [])
    }
  })

  it('a source that fails leaves nothing', async () => {
    await using test = openTestImages()
    const archive = dockerArchive([BASE], {})
    const source = streamOf(archive)
    source.once('data', () => source.destroy(new Error('connection reset')))
    await assert.rejects(test.images.load(source, {}), /connection reset/)
    assert.deepEqual(test.files(), [])
  })

  it('a layer that does not match its diff ID is refused, with the text of Docker', async () => {
    await using test = openTestImages()
    const good = imageConfig([BASE])
    const archive = tarOf([
      { path: 'config.json', type: 'file', data: good.config },
      { path: 'l.tar', type: 'file', data: TOP },
      {
        path: 'manifest.json',
        type: 'file',
        data: JSON.stringify([{ Config: 'config.json', Layers: ['l.tar'], RepoTags: ['x:1'] }]),
      },
    ])
    await assert.rejects(test.images.load(streamOf(archive), {}), {
      message: `invalid diffID for layer 0: expected "${digestOf(BASE)}", got "${digestOf(TOP)}"`,
    })
    assert.deepEqual(test.files(), [])
  })

  it('the second image of an archive that is broken takes the first with it', async () => {
    await using test = openTestImages()
    const one = imageConfig([BASE])
    const two = imageConfig([TOP])
    const archive = tarOf([
      { path: '1.json', type: 'file', data: one.config },
      { path: '2.json', type: 'file', data: two.config },
      { path: 'l.tar', type: 'file', data: BASE },
      {
        path: 'manifest.json',
        type: 'file',
        data: JSON.stringify([
          { Config: '1.json', Layers: ['l.tar'], RepoTags: ['one:1'] },
          { Config: '2.json', Layers: ['l.tar'], RepoTags: ['two:1'] },
        ]),
      },
    ])
    await assert.rejects(test.images.load(streamOf(archive), {}), /invalid diffID/)
    assert.deepEqual(test.images.list(), [])
    assert.deepEqual(test.files(), [])
  })

  const refused: Record<string, [RegExp, (manifest: Record<string, unknown>) => void]> = {
    'a manifest without a config': [/Config must be a string/, (item) => delete item['Config']],
    'a config that is not there': [/no nope\.json/, (item) => (item['Config'] = 'nope.json')],
    'a config outside of the archive': [
      /outside of the archive/,
      (item) => (item['Config'] = '../../../../etc/passwd'),
    ],
    'too few layers': [
      /layers length mismatch: expected 1, got 0/,
      (item) => (item['Layers'] = []),
    ],
    'a tag that is none': [/invalid reference format/, (item) => (item['RepoTags'] = ['a:b:c'])],
    'layers that are no list': [/Layers must be a list/, (item) => (item['Layers'] = 'l')],
  }
  for (const [name, [message, edit]] of Object.entries(refused)) {
    it(`refuses ${name}`, async () => {
      await using test = openTestImages()
      await assert.rejects(test.images.load(streamOf(dockerArchive([BASE], { edit })), {}), message)
      assert.deepEqual(test.files(), [])
    })
  }

  it('refuses a root filesystem, and says what to do with it', async () => {
    await using test = openTestImages()
    await assert.rejects(test.images.load(streamOf(BASE), {}), /neither manifest.json .*import/)
  })

  it('a name that another image has moves, and that is said', async () => {
    await using test = openTestImages()
    const lines: string[] = []
    const onProgress = ({ stream }: ProgressMessage): void => {
      if (stream !== undefined) lines.push(stream)
    }
    await test.images.load(streamOf(dockerArchive([BASE], { tags: ['x:1'] })), {})
    const old = test.images.get('x:1')
    await test.images.load(streamOf(dockerArchive([TOP], { tags: ['x:1'] })), { onProgress })
    assert.equal(
      lines[0],
      `The image x:1 already exists, renaming the old one with ID ${old.id} to empty string\n`,
    )
    assert.deepEqual(test.images.get(old.id).repoTags, [])
  })

  it('a child that is saved before its parent has it again', async () => {
    await using from = openTestImages()
    await using to = openTestImages()
    const parent = dockerArchive([BASE], { tags: ['parent:1'] })
    await from.images.load(streamOf(parent), {})
    const { id } = from.images.get('parent:1')
    const child = dockerArchive([BASE, TOP], { tags: ['child:1'], parent: id })
    await from.images.load(streamOf(child), {})
    await to.images.load(from.images.save(['child:1', 'parent:1']), {})
    assert.equal(to.images.get('child:1').parentId, id)
  })

  it('what is here already is not stored twice', async () => {
    await using test = openTestImages()
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['a:1'] })), {})
    const files = test.files()
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['a:1'] })), {})
    await test.images.load(streamOf(dockerArchive([BASE, TOP, TOP], { tags: ['b:1'] })), {})
    assert.equal(test.files().length, files.length + 1)
    assert.deepEqual(
      test.images.get('b:1').layerDirectories.slice(1),
      test.images.get('a:1').layerDirectories,
    )
  })

  it('loads that run at the same time agree', async () => {
    await using test = openTestImages()
    const archives = [1, 2, 3, 4, 5, 6].map((number) =>
      dockerArchive([BASE, TOP], { tags: [`x:${number}`], config: { User: `${number % 3}` } }),
    )
    await Promise.all(archives.map((archive) => test.images.load(streamOf(archive), {})))
    assert.equal(test.images.list().length, 3)
    assert.equal(readdirSync(`${test.root}/snapshots`).length, 2)
    assert.deepEqual(test.files('tmp'), [])
  })

  it('loading beside a removal ends with a whole image', async () => {
    await using test = openTestImages()
    const archive = dockerArchive([BASE, TOP], { tags: ['x:1'] })
    await test.images.load(streamOf(archive), {})
    for (let round = 0; round < 5; round++) {
      const loading = test.images.load(streamOf(archive, 997), {})
      await new Promise((resolve) => setImmediate(resolve))
      const id = test.images.get('x:1').id
      test.images.remove(id, { force: true, prune: true, usedBy: () => [] })
      await loading
      for (const directory of test.images.get('x:1').layerDirectories) {
        assert.ok(statSync(directory).isDirectory())
      }
    }
  })
})

describe('save', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('gives an archive that loads as the same image elsewhere, also as an OCI layout', async () => {
    await using from = openTestImages()
    await from.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['a:1', 'b:2'] })), {})
    const archive = Buffer.concat(await from.images.save(['a:1', 'b:2']).toArray())
    for (const isOci of [false, true]) {
      await using to = openTestImages()
      // Without manifest.json only the OCI index is left to read.
      const source = isOci ? withoutMember(archive, 'manifest.json') : archive
      await to.images.load(streamOf(source), {})
      assert.equal(to.images.get('a:1').id, from.images.get('a:1').id)
      assert.deepEqual(to.images.get('b:2').repoTags, ['a:1', 'b:2'])
      const again = Buffer.concat(await to.images.save(['a:1', 'b:2']).toArray())
      assert.ok(again.equals(archive))
    }
  })

  it('an OCI layout with a changed layer is refused', async () => {
    await using from = openTestImages()
    await from.images.load(streamOf(dockerArchive([TOP], { tags: ['a:1'] })), {})
    const archive = Buffer.concat(await from.images.save(['a:1']).toArray())
    archive.write('HELLO', archive.indexOf('hello'))
    await using to = openTestImages()
    await assert.rejects(to.images.load(streamOf(archive), {}), { code: 'INVALID_ARGUMENT' })
    assert.deepEqual(to.files(), [])
  })

  it('goes on while the image is removed', async () => {
    await using test = openTestImages()
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['a:1'] })), {})
    const stream = test.images.save(['a:1'])
    const iterator = stream[Symbol.asyncIterator]()
    const chunks = [(await iterator.next()).value as Buffer]
    test.images.remove('a:1', { force: false, prune: true, usedBy: () => [] })
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      chunks.push(next.value as Buffer)
    }
    await test.images.load(streamOf(Buffer.concat(chunks)), {})
    assert.equal(test.images.get('a:1').size, 10_005)
  })

  it('an unknown image throws before anything is written', async () => {
    await using test = openTestImages()
    assert.throws(() => test.images.save(['nope']), { message: 'No such image: nope:latest' })
  })
})

describe('the built-in busybox image', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('is the same every time and holds what a shell needs', async () => {
    await using test = openTestImages()
    const build = (): ReturnType<typeof buildBusyboxImage> =>
      buildBusyboxImage({ busyboxPath: '/usr/bin/busybox', reference: 'busybox' })
    await test.images.load(await build(), {})
    const image = test.images.get('busybox')
    await test.images.load(await build(), {})
    assert.equal(test.images.list().length, 1)
    const { layerDirectories } = image
    const read = (path: string): string =>
      String(test.images.readRootFile(layerDirectories, path, 1 << 24))
    assert.match(read('/etc/passwd'), /^root:x:0:0:root:\/root:\/bin\/sh$/m)
    assert.match(read('/etc/group'), /^root:x:0:$/m)
    assert.equal(statSync(`${layerDirectories[0]}/tmp`).mode & 0o7777, 0o1777)
    assert.equal(statSync(`${layerDirectories[0]}/root`).mode & 0o7777, 0o700)
    assert.equal(read('/bin/ls').length, read('/bin/busybox').length)
  })
})

function withoutMember(archive: Buffer, name: string): Buffer {
  for (let at = 0; at < archive.length; ) {
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8) || 0
    const next = at + 512 + Math.ceil(size / 512) * 512
    if (archive.toString('latin1', at, at + name.length) === name) {
      return Buffer.concat([archive.subarray(0, at), archive.subarray(next)])
    }
    at = next
  }
  throw new Error(`no member ${name}`)
}
