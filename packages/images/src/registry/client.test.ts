import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { RegistryClient } from './client.ts'

/** All tags of a registry that answers each `tags/list` by `answer`, which gets its query. */
async function tagsOf(
  answer: (query: string, response: ServerResponse) => void,
): Promise<string[]> {
  const server = createServer(({ url = '' }, response) => {
    if (url === '/v2/') return void response.end('{}')
    answer(new URL(url, 'http://localhost').search, response)
  }).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const endpoints = [{ base, verifiesTls: true }]
    const client = await RegistryClient.connect({
      endpoints,
      path: 'many',
      actions: 'pull',
      auth: undefined,
      signal: undefined,
    })
    return await client.tags()
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

test('tags may come in pages', async () => {
  const tags = await tagsOf((query, response) => {
    if (query === '?last=b') return void response.end('{"tags":["c"]}')
    response.setHeader('Link', '</v2/many/tags/list?last=b>; rel="next"')
    response.end('{"tags":["a","b",7]}')
  })
  assert.deepEqual(tags, ['a', 'b', 'c'])
})

test('pages without an end are refused', { timeout: 60_000 }, async () => {
  let page = 0
  const endless = tagsOf((_query, response) => {
    response.setHeader('Link', `<?last=${page++}>; rel=next`)
    response.end('{"tags":["same"]}')
  })
  await assert.rejects(endless, { code: 'UPSTREAM', message: /more than 10000 tags/ })
})

test('more tags than anybody pulls are refused, and what is no list has none', async () => {
  const many = JSON.stringify({ tags: Array.from({ length: 200_000 }, (_, n) => `t${n}`) })
  await assert.rejects(
    tagsOf((_query, response) => {
      response.setHeader('Link', '<?last=x>; rel="next"')
      response.end(many)
    }),
    { code: 'UPSTREAM' },
  )
  assert.deepEqual(await tagsOf((_query, response) => void response.end('[nonsense')), [])
})
