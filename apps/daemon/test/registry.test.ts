import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import {
  requires,
  startDaemon,
  startRegistry,
  type TestDaemon,
  type TestRegistry,
} from '@ctr/testkit'

const skip = requires({ root: true, commands: ['docker-registry'] })
/** htpasswd(1) -B: `ann` with `secret`. */
const HTPASSWD = 'ann:$2y$05$FyGLPV3Qgup0AgBNGB/r2.AXQAbS7TS4Nk2bIOw2J4/KDYmgvoIfq'

let daemon: TestDaemon
let open: TestRegistry
let closed: TestRegistry
before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  open = await startRegistry()
  closed = await startRegistry({ htpasswd: HTPASSWD })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await open?.[Symbol.asyncDispose]()
  await closed?.[Symbol.asyncDispose]()
})

async function login(body: object): Promise<{ status: number; message: string; text: string }> {
  const { status, text } = await daemon.request('POST', '/auth', body)
  return { status, message: JSON.parse(text).message ?? '', text }
}

test('good credentials are confirmed', { skip }, async () => {
  const answer = await login({
    username: 'ann',
    password: 'secret',
    serveraddress: `http://${closed.address}`,
  })
  assert.equal(answer.text, '{"Status":"Login Succeeded","IdentityToken":""}\n')
  assert.equal(answer.status, 200)
})

test('bad credentials, none, and no registry', { skip }, async () => {
  const bad = await login({ username: 'ann', password: 'x', serveraddress: closed.address })
  assert.equal(bad.status, 401)
  assert.equal(
    bad.message,
    `login attempt to http://${closed.address}/v2/ failed with status: 401 Unauthorized`,
  )
  const none = await login({ serveraddress: closed.address })
  assert.equal(none.status, 401)
  assert.match(none.message, /no basic auth credentials$/)
  const nobody = await login({ username: 'a', password: 'b', serveraddress: '127.0.0.1:1' })
  assert.equal(nobody.status, 500)
  assert.match(nobody.message, /dial tcp 127.0.0.1:1: connect: connection refused$/)
})

test('what a registry has under a name', { skip }, async () => {
  const name = `${open.address}/distribution/test:1`
  const tag = `repo=${encodeURIComponent(`${open.address}/distribution/test`)}&tag=1`
  await daemon.request('POST', `/images/busybox/tag?${tag}`)
  const pushed = await daemon.request(
    'POST',
    `/images/${open.address}/distribution/test/push?tag=1`,
  )
  assert.doesNotMatch(pushed.text, /errorDetail/)
  const { status, text } = await daemon.request('GET', `/distribution/${name}/json`)
  assert.equal(status, 200, text)
  const { Descriptor, Platforms } = JSON.parse(text)
  assert.match(Descriptor.mediaType, /manifest/)
  assert.ok(
    pushed.text.includes(`digest: ${Descriptor.digest} size: ${Descriptor.size}`),
    pushed.text,
  )
  assert.equal(Platforms.length, 1)
  assert.equal(Platforms[0].os, 'linux')
  const missing = await daemon.request('GET', `/distribution/${open.address}/no/such/json`)
  assert.equal(missing.status, 404)
  const invalid = await daemon.request('GET', '/distribution/UPPER/json')
  assert.equal(invalid.status, 400)
})

test('a name without a tag is pulled with all tags that the registry has', { skip }, async () => {
  const name = `${open.address}/many`
  for (const tag of ['1', '2']) {
    await daemon.ok(['tag', 'busybox', `${name}:${tag}`])
    await daemon.ok(['push', '--quiet', `${name}:${tag}`])
    await daemon.ok(['rmi', `${name}:${tag}`])
  }
  const pulled = await daemon.request('POST', `/images/create?fromImage=${name}`)
  assert.equal(pulled.status, 200)
  const said = pulled.text.trim().split(/\r?\n/)
  const statuses = said.map((line) => (JSON.parse(line) as { status: string }).status)
  assert.equal(statuses.filter((status) => status === 'Pulling from many').length, 2)
  assert.deepEqual(
    statuses.filter((status) => status.startsWith('Status: ')),
    [`Status: Downloaded newer image for ${name}`],
  )
  const tags = async (): Promise<string[]> =>
    (await daemon.ok(['images', '--format', '{{.Tag}}', name])).split('\n').sort()
  assert.deepEqual(await tags(), ['1', '2'])
  await daemon.ok(['rmi', `${name}:1`, `${name}:2`])
  await daemon.ok(['pull', '--all-tags', '--quiet', name])
  assert.deepEqual(await tags(), ['1', '2'])
  await daemon.ok(['rmi', `${name}:1`, `${name}:2`])
  const unknown = await daemon.request('POST', `/images/create?fromImage=${open.address}/none`)
  assert.equal(unknown.status, 404)
  assert.match(unknown.text, /repository .*\/none not found: name unknown/)
})

test('search asks the registry that the term names', { skip }, async () => {
  const asked: string[] = []
  const index = createServer((request, response) => {
    asked.push(request.url ?? '')
    const results = [
      { name: 'a', description: 'one', star_count: 5, is_official: true },
      { name: 'b', star_count: 1, is_official: false, is_automated: true },
      { noname: 1 },
    ]
    response.end(JSON.stringify({ num_results: 3, results }))
  }).listen(0, '127.0.0.1')
  await once(index, 'listening')
  const { port } = index.address() as { port: number }
  try {
    const search = async (query: string): Promise<{ name: string }[]> => {
      const { status, text } = await daemon.request(
        'GET',
        `/images/search?term=${encodeURIComponent(`127.0.0.1:${port}/some thing`)}${query}`,
      )
      assert.equal(status, 200, text)
      return JSON.parse(text)
    }
    assert.deepEqual(await search('&limit=7'), [
      { name: 'a', description: 'one', star_count: 5, is_official: true, is_automated: false },
      { name: 'b', description: '', star_count: 1, is_official: false, is_automated: false },
    ])
    assert.equal(asked.at(-1), '/v1/search?q=some%20thing&n=7')
    const stars = await search(`&filters=${encodeURIComponent('{"stars":["3"]}')}`)
    assert.deepEqual(
      stars.map(({ name }) => name),
      ['a'],
    )
    assert.equal(asked.at(-1), '/v1/search?q=some%20thing&n=25')
  } finally {
    index.close()
    index.closeAllConnections()
  }
  const range = await daemon.request('GET', '/images/search?term=x&limit=101')
  assert.equal(range.status, 400)
  const nowhere = await daemon.request('GET', '/images/search?term=127.0.0.1:1/x')
  assert.equal(nowhere.status, 500)
  assert.match(nowhere.text, /connection refused/)
  // docker-registry has no search.
  const none = await daemon.request('GET', `/images/search?term=${open.address}/x`)
  assert.equal(none.status, 500)
  assert.match(none.text, /Unexpected status code 404/)
})
