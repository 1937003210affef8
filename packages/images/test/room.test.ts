import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmdirSync, statfsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { createGzip, gzipSync } from 'node:zlib'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { digestOf } from '@ctr/oci'
import { encodeHeader } from '../src/tar/write.ts'
import { imageConfig, openTestImages, streamOf, type TestImages, tarOf } from './fixture.ts'

const DISK_BYTES = 128 << 20
const BOMB_BYTES = 256 << 20
/** A part of 32 of a small disk. */
const KEPT_BYTES = DISK_BYTES / 32
const NO_ROOM = /no space left on device \(the rest of it is kept for containers\)/

/** A tar of one file of zeros, small when compressed. */
function* zeros(): Generator<Buffer> {
  yield encodeHeader({ path: 'zeros', type: 'file', mode: 0o644, size: BOMB_BYTES })
  const chunk = Buffer.alloc(1 << 20)
  for (let sent = 0; sent < BOMB_BYTES; sent += chunk.length) yield chunk
  yield Buffer.alloc(1024)
}

/** As many files as a disk of this size has no room for, of a byte each. */
function* files(): Generator<Buffer> {
  for (let index = 0; index < 40_000; index++) {
    yield encodeHeader({ path: `f${index}`, type: 'file', mode: 0o644, size: 1 })
    yield Buffer.alloc(512)
  }
  yield Buffer.alloc(1024)
}

const compressed = (members: Iterable<Buffer>): Readable =>
  Readable.from(members, { objectMode: false }).pipe(createGzip({ level: 1 }))

describe('a layer that is larger than the disk', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  let root = ''
  let test: TestImages
  let bomb: Buffer
  before(async () => {
    root = mkdtempSync('/tmp/ctr-images-test-')
    mount('tmpfs', root, 'tmpfs', 0, `size=${DISK_BYTES}`)
    test = openTestImages(root)
    bomb = Buffer.concat(await compressed(zeros()).toArray())
  })
  after(async () => {
    await test.images[Symbol.asyncDispose]()
    test.store.close()
    umount(root, MNT_DETACH)
    rmdirSync(root)
  })

  /** What is left at the least while `work` runs; nothing of it stays. */
  async function refused(work: Promise<unknown>): Promise<void> {
    let least = DISK_BYTES
    const look = (): void => {
      const { bavail, bsize } = statfsSync(root)
      least = Math.min(least, bavail * bsize)
    }
    const timer = setInterval(look, 1)
    await assert.rejects(work, NO_ROOM).finally(() => clearInterval(timer))
    assert.ok(least >= KEPT_BYTES, `only ${least} bytes were left`)
    assert.deepEqual(test.files(), [])
    assert.deepEqual(readdirSync(join(root, 'content/ingest')), [])
  }

  it('is refused by load before the disk is full', async () => {
    const { config } = imageConfig([bomb])
    const manifest = [{ Config: 'config', RepoTags: ['bomb:1'], Layers: ['layer'] }]
    const archive = tarOf([
      { path: 'config', type: 'file', data: config },
      { path: 'layer', type: 'file', data: bomb },
      { path: 'manifest.json', type: 'file', data: JSON.stringify(manifest) },
    ])
    await refused(test.images.load(streamOf(archive, 1 << 20), {}))
    // And one within the other.
    await refused(test.images.load(streamOf(gzipSync(archive), 1 << 20), {}))
  })

  it('is refused also if it is not compressed, or a member of the archive', async () => {
    await refused(test.images.load(Readable.from(zeros(), { objectMode: false }), {}))
  })

  it('is refused if it is of small files', async () => {
    await refused(test.images.unpackAside(compressed(files()), 'build'))
  })

  it('is refused as the context of a build', async () => {
    await refused(test.images.unpackAside(streamOf(bomb, 1 << 20), 'build'))
  })

  it('is refused by pull, which then asks for no more of it and keeps nothing', async () => {
    const { config } = imageConfig([Buffer.alloc(0)])
    const descriptor = (mediaType: string, data: Buffer): object => ({
      mediaType,
      size: data.length,
      digest: digestOf(data),
    })
    const kind = 'application/vnd.oci.image'
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${kind}.manifest.v1+json`,
        config: descriptor(`${kind}.config.v1+json`, config),
        layers: [descriptor(`${kind}.layer.v1.tar+gzip`, bomb)],
      }),
    )
    const server = createServer(({ url = '' }, response) => {
      const isManifest = url.includes('/manifests/')
      if (isManifest) response.setHeader('Content-Type', `${kind}.manifest.v1+json`)
      if (url === '/v2/') response.end('{}')
      else response.end(isManifest ? manifest : url.endsWith(digestOf(config)) ? config : bomb)
    }).listen(0, '127.0.0.1')
    try {
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as AddressInfo
      await refused(test.images.pull(`127.0.0.1:${port}/bomb:1`, {}))
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})

it('a disk that has no size is not full', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const root = mkdtempSync('/tmp/ctr-images-test-')
  mount('tmpfs', root, 'tmpfs', 0, 'size=0,nr_inodes=0')
  try {
    await using test = openTestImages(mkdtempSync(join(root, 'i-')))
    const archive = tarOf([{ path: 'f', type: 'file', data: Buffer.alloc(12 << 20) }])
    await using aside = await test.images.unpackAside(streamOf(archive, 1 << 20), 'build')
    assert.deepEqual(readdirSync(aside.directory), ['f'])
  } finally {
    umount(root, MNT_DETACH)
    rmdirSync(root)
  }
})
