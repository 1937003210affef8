// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createVolume,
  listVolumes,
  pruneContainers,
  pruneImages,
  pruneVolumes,
  startContainer,
  tagImage,
} from '@ctr/engine'
import { TestEngine } from './support.ts'

const NONE = new Map<string, string[]>()

test('a dry run tells what a prune then does, and changes nothing', async () => {
  await using t = await TestEngine.open()
  const running = await t.create(['sleep', '1000'], { hostConfig: { Binds: ['used:/x'] } })
  await startContainer(t.engine, running)
  const stopped = await t.create(['true'], { hostConfig: { Binds: ['free:/x'] } })
  await createVolume(t.engine, { name: 'lonely' })
  tagImage(t.engine, 'busybox', 'other:1')
  const count = (): unknown[] => [
    t.engine.containers.all().length,
    listVolumes(t.engine, NONE).length,
    t.engine.images.list().length,
    t.engine.events.history(0n, 2n ** 62n, 0n, 1000).length,
  ]
  const before = count()

  const containers = await pruneContainers(t.engine, NONE, { isDryRun: true })
  assert.deepEqual(containers.ids, [stopped])
  const dry = { isDryRun: true, withoutContainers: new Set(containers.ids) }
  const volumes = await pruneVolumes(t.engine, { all: true, filters: NONE, ...dry })
  assert.deepEqual(volumes.names.toSorted(), ['free', 'lonely'])
  const all = new Map([['dangling', ['false']]])
  const images = pruneImages(t.engine, all, dry)
  assert.deepEqual(count(), before)

  assert.deepEqual(await pruneContainers(t.engine, NONE), containers)
  assert.deepEqual(await pruneVolumes(t.engine, { all: true, filters: NONE }), volumes)
  assert.deepEqual(pruneImages(t.engine, all), images)
})

test('a dry run of images sees what the containers that would go leave behind', async () => {
  await using t = await TestEngine.open()
  const stopped = await t.create(['true'])
  const all = new Map([['dangling', ['false']]])
  assert.deepEqual(pruneImages(t.engine, all, { isDryRun: true }).deleted, [])
  const without = { isDryRun: true, withoutContainers: new Set([stopped]) }
  const { deleted, spaceReclaimed } = pruneImages(t.engine, all, without)
  assert.equal(deleted[0]?.Untagged, 'busybox:latest')
  assert.ok(spaceReclaimed > 0)
  assert.equal(t.engine.images.list().length, 1)
})

test('until takes times and durations as Docker does', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['true'])
  const prune = async (...until: string[]): Promise<string[]> =>
    (await pruneContainers(t.engine, new Map([['until', until]]), { isDryRun: true })).ids
  for (const text of ['1h', '2020-01-01', '2020-01-01T00:00:00+02:00', '1577836800.5']) {
    assert.deepEqual(await prune(text), [], text)
  }
  assert.deepEqual(await prune('-1h'), [id])
  for (const text of ['bogus', '1d', '']) {
    await assert.rejects(prune(text), /failed to parse value as time or duration: "/, text)
  }
  await assert.rejects(prune('1h', '2h'), /more than one until filter specified/)
})
