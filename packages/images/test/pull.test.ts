import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf } from '@ctr/oci'
import { freePort, startRegistry } from '@ctr/testkit'
import { dockerArchive, openTestImages, streamOf } from './fixture.ts'
import { BASE, pushApp, recorder, skip } from './pushed-app.ts'
import { startProxy } from './registry-proxy.ts'

/** htpasswd(1) -B: `me` with `secret`. */
const HTPASSWD = 'me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a'

describe('pull', { skip }, () => {
  it('brings the image that was pushed, with the messages of Docker', async () => {
    await using registry = await startRegistry({ own: true })
    const id = await pushApp(registry.address)
    await using test = openTestImages()
    const ref = `${registry.address}/team/app:v1`
    const first = recorder()
    const image = await test.images.pull(ref, first)
    assert.equal(image.id, id)
    assert.deepEqual(image.repoTags, [ref])
    const digest = image.repoDigests[0]?.split('@')[1] ?? ''
    assert.match(digest, /^sha256:/)
    assert.deepEqual(first.lines.slice(0, 1), ['v1: Pulling from team/app'])
    for (const status of [
      'Pulling fs layer',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]) {
      assert.equal(first.lines.filter((line) => line.endsWith(`: ${status}`)).length, 2, status)
    }
    assert.deepEqual(first.lines.slice(-2), [
      `Digest: ${digest}`,
      `Status: Downloaded newer image for ${ref}`,
    ])
    assert.equal(String(test.images.readRootFile(image.layerDirectories, '/etc/motd', 9)), 'hello')
    assert.deepEqual(readdirSync(join(test.root, 'content/ingest')), [])

    const second = recorder()
    await test.images.pull(ref, second)
    assert.deepEqual(
      second.lines.map((line) => line.replace(/^[0-9a-f]{12}/, 'layer')),
      [
        'v1: Pulling from team/app',
        'layer: Already exists',
        'layer: Already exists',
        `Digest: ${digest}`,
        `Status: Image is up to date for ${ref}`,
      ],
    )
    const byDigest = await test.images.pull(`${registry.address}/team/app@${digest}`, {})
    assert.equal(byDigest.id, id)
    assert.equal(test.images.get(`${registry.address}/team/app@${digest}`).id, id)
    assert.deepEqual(
      test.images.remove(ref, { force: false, prune: true, usedBy: () => [] }).slice(0, 3),
      [{ Untagged: ref }, { Untagged: `${registry.address}/team/app@${digest}` }, { Deleted: id }],
    )
  })

  it('fetches only layers that are not here', async () => {
    await using registry = await startRegistry({ own: true })
    await pushApp(registry.address)
    await using proxy = await startProxy(registry.address, {})
    await using test = openTestImages()
    await test.images.load(streamOf(dockerArchive([BASE], { tags: ['base:1'] })), {})
    await test.images.pull(`${proxy.address}/team/app:v1`, {})
    assert.ok(proxy.blobBytes < 10_000, `${proxy.blobBytes} bytes fetched`)
  })

  it('goes on where a connection broke off, in the same pull', async () => {
    await using registry = await startRegistry({ own: true })
    const id = await pushApp(registry.address)
    const rules = { cutBlobAfter: (count: number) => (count <= 3 ? 1_000_000 : undefined) }
    await using proxy = await startProxy(registry.address, rules)
    await using test = openTestImages()
    const image = await test.images.pull(`${proxy.address}/team/app:v1`, {})
    assert.equal(image.id, id)
    assert.ok(proxy.blobBytes < BASE.length * 1.05, `${proxy.blobBytes} bytes fetched`)
  })

  it('goes on where a cancelled pull has stopped, after a restart', async () => {
    await using registry = await startRegistry({ own: true })
    const id = await pushApp(registry.address)
    const cancel = new AbortController()
    let isFirst = true
    let reported = 0
    const rules = { cutBlobAfter: () => (isFirst ? 2_000_000 : undefined) }
    await using proxy = await startProxy(registry.address, rules)
    await using test = openTestImages()
    const ref = `${proxy.address}/team/app:v1`
    const pulling = test.images.pull(ref, {
      signal: cancel.signal,
      onProgress: ({ status, progressDetail }) => {
        const isLarge = (progressDetail?.total ?? 0) > 1_000_000
        if (status !== 'Downloading' || !isLarge) return
        reported = progressDetail?.current ?? 0
        cancel.abort(new Error('cancelled'))
      },
    })
    await assert.rejects(pulling)
    isFirst = false
    assert.deepEqual(test.images.list(), [])
    assert.deepEqual(
      test.files().filter((file) => !file.includes('removed')),
      [],
    )
    assert.ok(reported > 0)
    await test.images.reconcile()
    const image = await test.images.pull(ref, {})
    assert.equal(image.id, id)
    const ranges = proxy.requests.flatMap((line) => /bytes=(\d+)-$/.exec(line)?.[1] ?? [])
    assert.ok(
      ranges.some((from) => Number(from) >= reported),
      ranges.join(' '),
    )
  })

  it('two pulls of one image at the same time fetch it once', async () => {
    await using registry = await startRegistry({ own: true })
    await pushApp(registry.address)
    await using proxy = await startProxy(registry.address, {})
    await using test = openTestImages()
    const ref = `${proxy.address}/team/app:v1`
    const [one, two] = await Promise.all([test.images.pull(ref, {}), test.images.pull(ref, {})])
    assert.equal(one?.id, two?.id)
    assert.ok(proxy.blobBytes < BASE.length * 1.05, `${proxy.blobBytes} bytes fetched`)
    assert.equal(readdirSync(join(test.root, 'snapshots')).length, 2)
  })

  it('a blob that does not match its digest is refused and leaves nothing', async () => {
    await using registry = await startRegistry({ own: true })
    await pushApp(registry.address)
    await using proxy = await startProxy(registry.address, {
      answer: (request, response) => {
        const isBlob = request.method === 'GET' && /\/blobs\//.test(request.url ?? '')
        if (!isBlob) return false
        // Of the right length it would have to be: the manifest's sizes are not known here, so answer short.
        response.end(Buffer.from('not the blob'))
        return true
      },
    })
    await using test = openTestImages()
    await assert.rejects(
      test.images.pull(`${proxy.address}/team/app:v1`, {}),
      /verification failed/,
    )
    assert.deepEqual(test.images.list(), [])
    assert.deepEqual(test.files(), [])
  })

  it('takes the manifest for this machine from an index', async () => {
    await using registry = await startRegistry({ own: true })
    const id = await pushApp(registry.address)
    const base = `http://${registry.address}/v2/team/app/manifests`
    const accept = 'application/vnd.docker.distribution.manifest.v2+json'
    const manifest = Buffer.from(
      await (await fetch(`${base}/v1`, { headers: { Accept: accept } })).arrayBuffer(),
    )
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        {
          mediaType: accept,
          digest: digestOf(manifest),
          size: manifest.length,
          platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
        },
      ],
    })
    const put = await fetch(`${base}/multi`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/vnd.oci.image.index.v1+json' },
      body: index,
    })
    assert.equal(put.status, 201)
    await using test = openTestImages()
    const ref = `${registry.address}/team/app:multi`
    const image = await test.images.pull(ref, {})
    assert.equal(image.id, id)
    assert.deepEqual(image.repoDigests, [`${registry.address}/team/app@${digestOf(index)}`])
    await assert.rejects(test.images.pull(ref, { platform: 'linux/s390x' }), {
      code: 'NOT_FOUND',
      message: 'no matching manifest for linux/s390x in the manifest list entries',
    })
  })

  it('an unknown tag and an unknown repository are not found', async () => {
    await using registry = await startRegistry({ own: true })
    await pushApp(registry.address)
    await using test = openTestImages()
    const { address: host } = registry
    await assert.rejects(test.images.pull(`${host}/team/app:nope`, {}), {
      code: 'NOT_FOUND',
      message: `manifest for ${host}/team/app:nope not found: manifest unknown: manifest unknown`,
    })
    await assert.rejects(test.images.pull(`${host}/other`, {}), { code: 'NOT_FOUND' })
    assert.deepEqual(test.files(), [])
  })

  it('a registry that nobody serves is named with the reason', async () => {
    const port = await freePort()
    await using test = openTestImages()
    await assert.rejects(test.images.pull(`127.0.0.1:${port}/x`, {}), {
      code: 'UPSTREAM',
      message: `Get "http://127.0.0.1:${port}/v2/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    })
  })

  it('basic credentials are asked for, and used', async () => {
    await using registry = await startRegistry({ htpasswd: HTPASSWD })
    const id = await pushApp(registry.address, { username: 'me', password: 'secret' })
    await using test = openTestImages()
    const ref = `${registry.address}/team/app:v1`
    await assert.rejects(test.images.pull(ref, {}), {
      code: 'UNAUTHENTICATED',
      message: `Get "http://${registry.address}/v2/": no basic auth credentials`,
    })
    await assert.rejects(test.images.pull(ref, { auth: { username: 'me', password: 'wrong' } }), {
      code: 'UNAUTHENTICATED',
    })
    const auth = { auth: Buffer.from('me:secret').toString('base64') }
    assert.equal((await test.images.pull(ref, { auth })).id, id)
  })

  it('a token is fetched where the registry says, for the right scope, and never sent elsewhere', async () => {
    await using registry = await startRegistry({ own: true })
    const id = await pushApp(registry.address)
    const tokens: string[] = []
    const seen: (string | undefined)[] = []
    await using blobs = await startProxy(registry.address, {
      answer: (request) => {
        seen.push(request.headers.authorization)
        return false
      },
    })
    let host = ''
    await using proxy = await startProxy(registry.address, {
      answer: (request, response) => {
        if (request.url?.startsWith('/token') === true) {
          tokens.push(`${request.headers.authorization} ${request.url}`)
          response.end(JSON.stringify({ token: 'T1' }))
          return true
        }
        if (request.headers.authorization !== 'Bearer T1') {
          const realm = `http://${host}/token`
          response.setHeader('WWW-Authenticate', `Bearer realm="${realm}",service="reg"`)
          response.statusCode = 401
          response.end()
          return true
        }
        if (/\/blobs\//.test(request.url ?? '')) {
          response.writeHead(307, { Location: `http://${blobs.address}${request.url}` })
          response.end()
          return true
        }
        return false
      },
    })
    host = proxy.address
    await using test = openTestImages()
    const auth = { username: 'me', password: 'pw' }
    const image = await test.images.pull(`${proxy.address}/team/app:v1`, { auth })
    assert.equal(image.id, id)
    const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`
    assert.deepEqual(tokens, [`${basic} /token?service=reg&scope=repository%3Ateam%2Fapp%3Apull`])
    assert.equal(seen.length, 3)
    assert.ok(seen.every((authorization) => authorization === undefined))
  })

  it('what a registry refuses is said as Docker says it', async () => {
    await using proxy = await startProxy('127.0.0.1:1', {
      answer: (request, response) => {
        response.statusCode = request.url === '/v2/' ? 200 : 403
        const errors = [{ code: 'DENIED', message: 'requested access to the resource is denied' }]
        response.end(JSON.stringify({ errors }))
        return true
      },
    })
    await using test = openTestImages()
    await assert.rejects(test.images.pull(`${proxy.address}/x`, {}), {
      code: 'NOT_FOUND',
      message: `pull access denied for ${proxy.address}/x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    })
  })
})
