import assert from 'node:assert/strict'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { spareLayer } from '@ctr/images'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

/** Requires root: the root of an image may belong to anybody. */
describe('the writable layer of a container', () => {
  const USUAL = tarOf([{ path: './', type: 'directory', mode: 0o755 }])
  const ODD = tarOf([{ path: './', type: 'directory', mode: 0o1777, uid: 7, gid: 8 }])

  function makeSpare(path: string): string {
    for (const { path: directory, mode } of spareLayer(path)) mkdirSync(directory, { mode })
    return path
  }

  it('is made, or was made before: both are alike', async () => {
    await using test = openTestImages()
    for (const [name, root] of Object.entries({ usual: USUAL, odd: ODD })) {
      await test.images.load(streamOf(dockerArchive([root], { tags: [`${name}:1`] })), {})
      const { id } = test.images.get(`${name}:1`)
      const facts = (container: string, spare?: string): (readonly number[])[] => {
        const { upper, work } = test.images.createContainerLayer(container, id, spare)
        return [dirname(upper), upper, work].map((path) => {
          const { mode, uid, gid } = statSync(path)
          return [mode, uid, gid]
        })
      }
      const spare = makeSpare(join(test.root, `spare-${name}`))
      const made = facts(`${name}-made`)
      assert.deepEqual(facts(`${name}-spare`, spare), made)
      assert.ok(!existsSync(spare))
      assert.deepEqual(facts(`${name}-without`, spare), made)
      assert.deepEqual(made[1], name === 'usual' ? [0o40755, 0, 0] : [0o41777, 7, 8])
    }
  })
  it('leaves nothing of what was made before and cannot be had', async () => {
    await using test = openTestImages()
    await test.images.load(streamOf(dockerArchive([USUAL], { tags: ['usual:1'] })), {})
    const { id } = test.images.get('usual:1')
    const spare = makeSpare(join(test.root, 'tmp', 'spare-1'))
    // rename(2): ENOTEMPTY. Where containers/ is another filesystem it is EXDEV.
    mkdirSync(join(test.root, 'containers', 'c1', 'other'), { recursive: true })
    const { upper, work } = test.images.createContainerLayer('c1', id, spare)
    assert.ok(existsSync(upper) && existsSync(work))
    assert.ok(!existsSync(spare))
  })
})
