import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { digestOf } from '@ctr/oci'
import { startRegistry } from '@ctr/testkit'
import { DEFAULT_REGISTRY_SETTINGS } from '../src/registry/endpoint.ts'
import { dockerArchive, openTestImages, streamOf } from './fixture.ts'
import { BASE, recorder, skip, TOP } from './pushed-app.ts'
import { startProxy } from './registry-proxy.ts'

describe('push', { skip }, () => {
  it('sends each layer once, and says what it does', async () => {
    await using registry = await startRegistry({ own: true })
    await using proxy = await startProxy(registry.address, {})
    await using test = openTestImages()
    const name = `${proxy.address}/team/app`
    const tags = [`${name}:v1`, `${name}:v2`]
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags })), {})
    const { lines, onProgress } = recorder()
    await test.images.push(name, { onProgress })
    const puts = proxy.requests.filter(
      (request) => request.startsWith('PUT') && /\/blobs\//.test(request),
    )
    assert.equal(puts.length, 3)
    assert.equal(lines[0], `The push refers to repository [${name}]`)
    assert.equal(lines.filter((line) => line.endsWith(': Pushed')).length, 2)
    assert.equal(lines.filter((line) => line.endsWith(': Layer already exists')).length, 2)
    assert.match(
      lines.find((line) => line.startsWith('v1: digest')) ?? '',
      /^v1: digest: sha256:[0-9a-f]{64} size: \d+$/,
    )
    assert.equal(test.images.get(`${name}:v1`).repoDigests.length, 1)
  })

  it('sends as many layers at a time as it may', { timeout: 300_000 }, async () => {
    await using registry = await startRegistry({ own: true })
    const waiting: ServerResponse[] = []
    // The question whether a layer is there is answered when the other layer is asked for, too.
    await using proxy = await startProxy(registry.address, {
      answer: (request, response) => {
        if (request.method !== 'HEAD' || waiting.length >= 2) return false
        waiting.push(response)
        if (waiting.length === 2) for (const one of waiting) one.writeHead(404).end()
        return true
      },
    })
    await using test = openTestImages()
    const name = `${proxy.address}/team/app`
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: [`${name}:v1`] })), {})
    const { lines, onProgress } = recorder()
    await test.images.push(name, { onProgress })
    assert.equal(lines.filter((line) => line.endsWith(': Pushed')).length, 2)

    test.images.setRegistries({ ...DEFAULT_REGISTRY_SETTINGS, maxUploads: 1 })
    await using empty = await startRegistry({ own: true })
    const other = `${empty.address}/team/app`
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: [`${other}:v1`] })), {})
    const alone = recorder()
    await test.images.push(other, { onProgress: alone.onProgress })
    const steps = alone.lines.flatMap((line) => /: (Pushing|Pushed)$/.exec(line)?.[1] ?? [])
    assert.deepEqual(steps, ['Pushing', 'Pushed', 'Pushing', 'Pushed'])
  })

  it('keeps compressed layers as they came, so that their digests stay', async () => {
    await using registry = await startRegistry({ own: true })
    await using from = openTestImages()
    const id = await from.images.import(streamOf(gzipSync(TOP)), {
      reference: `${registry.address}/c:1`,
      changes: [],
    })
    await from.images.push(`${registry.address}/c:1`, {})
    await using to = openTestImages()
    assert.equal((await to.images.pull(`${registry.address}/c:1`, {})).id, id)
    const blob = digestOf(gzipSync(TOP)).slice(7)
    assert.ok(to.files().includes(`content/blobs/sha256/${blob}`))
  })

  it('of what is not here is not found', async () => {
    await using test = openTestImages()
    await assert.rejects(test.images.push('127.0.0.1:1/nope', {}), {
      code: 'NOT_FOUND',
      message: 'An image does not exist locally with the tag: 127.0.0.1:1/nope',
    })
  })

  it('of a tag that is not here, or of a digest, is refused when the registry has answered', async () => {
    await using registry = await startRegistry({ own: true })
    await using test = openTestImages()
    const name = `${registry.address}/team/app`
    await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: [`${name}:v1`] })), {})
    const { lines, onProgress } = recorder()
    await assert.rejects(test.images.push(`${name}:nope`, { onProgress }), {
      code: 'NOT_FOUND',
      message: `tag does not exist: ${name}:nope`,
    })
    assert.deepEqual(lines, [`The push refers to repository [${name}]`])
    await assert.rejects(test.images.push(`${name}@sha256:${'a'.repeat(64)}`, {}), {
      code: 'INVALID_ARGUMENT',
      message: 'cannot push a digest reference',
    })
  })
})
