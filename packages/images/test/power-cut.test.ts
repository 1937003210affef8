import assert from 'node:assert/strict'
import { lstatSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openStore } from '@ctr/store'
import { openImages } from '../src/index.ts'
import { dockerArchive, openTestImages, quiet, streamOf, tarOf } from './fixture.ts'

const BASE = tarOf([
  { path: 'etc', type: 'directory', mode: 0o750, uid: 3, gid: 4 },
  { path: 'etc/motd', type: 'file', data: 'hello' },
  { path: 'gone', type: 'file', data: 'x' },
])
/** Names nothing of etc, whose attributes come from the layer below; removes a file of it. */
const TOP = tarOf([
  { path: 'etc/issue', type: 'file', data: 'there', mtimeSeconds: 1_000_000_000 },
  { path: '.wh.gone', type: 'file' },
])

/** Requires root: owners, overlay's whiteouts. */
describe('after a power cut', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  /** Loads an image of two layers, then `damage`s what may not have been on the disk, and opens the store again. */
  async function restart(
    options: { boot?: string },
    damage: (root: string) => void,
    look: (root: string, unsynced: () => unknown[]) => void,
  ): Promise<void> {
    const root = mkdtempSync('/tmp/ctr-images-test-')
    try {
      const test = openTestImages(root)
      await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: ['a'] })), {})
      await test.images[Symbol.asyncDispose]()
      const rows = test.store.db.prepare('SELECT * FROM unsynced_layers')
      assert.deepEqual(rows.all(), [], 'everything is on the disk when the daemon has ended')
      const { boot } = options
      if (boot !== undefined) {
        const add = test.store.db.prepare('INSERT INTO unsynced_layers VALUES (?, ?)')
        for (const layer of [1, 2]) add.run(layer, boot)
      }
      test.store.close()
      damage(root)
      const store = openStore(join(root, 'ctr.db'))
      const images = openImages({ dataRoot: root, store, log: quiet })
      await images.reconcile()
      await images[Symbol.asyncDispose]()
      look(root, () => store.db.prepare('SELECT * FROM unsynced_layers').all())
      store.close()
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }

  it('layers that were not on the disk are made again from their blobs', async () => {
    await restart(
      { boot: 'another boot' },
      (root) => {
        truncateSync(join(root, 'snapshots/1/etc/motd'), 0)
        rmSync(join(root, 'snapshots/2'), { recursive: true })
      },
      (root, unsynced) => {
        assert.equal(readFileSync(join(root, 'snapshots/1/etc/motd'), 'utf8'), 'hello')
        assert.equal(readFileSync(join(root, 'snapshots/2/etc/issue'), 'utf8'), 'there')
        assert.equal(lstatSync(join(root, 'snapshots/2/etc/issue')).mtimeMs, 1e12)
        const { mode, uid, gid } = lstatSync(join(root, 'snapshots/2/etc'))
        assert.deepEqual({ mode: mode & 0o7777, uid, gid }, { mode: 0o750, uid: 3, gid: 4 })
        assert.ok(lstatSync(join(root, 'snapshots/2/gone')).isCharacterDevice())
        assert.deepEqual(unsynced(), [])
      },
    )
  })

  it('layers of the same boot are left alone: containers may run on them', async () => {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    await restart(
      { boot },
      (root) => writeFileSync(join(root, 'snapshots/1/mark'), ''),
      (root, unsynced) => {
        assert.ok(lstatSync(join(root, 'snapshots/1/mark')).isFile())
        assert.deepEqual(unsynced(), [])
      },
    )
  })

  it('a blob that is broken does not keep the daemon from starting', async () => {
    await restart(
      { boot: 'another boot' },
      (root) => rmSync(join(root, 'content'), { recursive: true }),
      (root, unsynced) => {
        assert.equal(readFileSync(join(root, 'snapshots/1/etc/motd'), 'utf8'), 'hello')
        assert.equal(unsynced().length, 2)
      },
    )
  })
})
