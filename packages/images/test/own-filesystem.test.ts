import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

const LAYER = tarOf([
  { path: 'etc', type: 'directory', mode: 0o755 },
  { path: 'etc/motd', type: 'file', data: 'hello' },
])

describe('a filesystem of its own', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  for (const where of ['snapshots', 'content']) {
    for (const kind of ['tmpfs', 'bind'] as const) {
      it(`on ${where} (${kind}) takes layers and blobs, and nothing is left beside them`, async () => {
        const root = mkdtempSync('/tmp/ctr-images-test-')
        mkdirSync(join(root, where))
        mkdirSync(join(root, 'elsewhere'))
        if (kind === 'tmpfs') mount('tmpfs', join(root, where), 'tmpfs', 0, '')
        // Of the same filesystem, and yet nothing is renamed over its border.
        else execFileSync('mount', ['--bind', join(root, 'elsewhere'), join(root, where)])
        const test = openTestImages(root)
        try {
          const { images } = test
          const archive = dockerArchive([LAYER], { tags: ['a:1'] })
          await images.load(streamOf(archive), {})
          assert.equal(readFileSync(join(root, 'snapshots/1/etc/motd'), 'utf8'), 'hello')
          const files = test.files()
          const ingest = (): string[] => readdirSync(join(root, 'content/ingest'))
          assert.deepEqual(ingest(), [])
          const broken = Buffer.concat([LAYER.subarray(0, 700), Buffer.alloc(900, 'x')])
          const refused = images.load(streamOf(dockerArchive([broken], { tags: ['b:1'] })), {})
          await assert.rejects(refused)
          assert.deepEqual([...test.files(), ...ingest()], files)
          // Of an engine that was killed.
          mkdirSync(join(root, 'snapshots/work-1/etc'), { recursive: true })
          writeFileSync(join(root, 'content/ingest/work-2'), 'x')
          await images.reconcile()
          images.remove('a:1', { force: true, prune: true, usedBy: () => [] })
          await images[Symbol.asyncDispose]()
          assert.deepEqual(
            test.files().filter((name) => name !== 'snapshots/0'),
            [],
          )
          assert.deepEqual(ingest(), [])
        } finally {
          umount(join(root, where), MNT_DETACH)
          await test[Symbol.asyncDispose]()
        }
      })
    }
  }
})
