import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cache } from './cache.ts'
import { parseQuery, parseResponse, type Query, type Response, TYPE } from './message.ts'
import { answerTo, opt, query, record } from './message-fixture.ts'

const SERVERS = ['192.0.2.1']

test('an answer is kept for as long as it says and is given to the same question only', () => {
  let nowMs = 0
  const cache = new Cache(() => nowMs)
  const asked = read(query('x.example', TYPE.A))
  cache.put(asked, SERVERS, response(asked, 60))
  nowMs = 59_999
  assert.equal(cache.get(asked, SERVERS)?.readUInt32BE(asked.questionEnd + 6), 1)
  assert.ok(cache.get(read(query('X.example', TYPE.A)), SERVERS))
  assert.equal(cache.get(read(query('x.example', TYPE.AAAA)), SERVERS), undefined)
  assert.equal(cache.get(read(query('x.example', TYPE.A, [opt(1232)])), SERVERS), undefined)
  assert.equal(cache.get(asked, ['192.0.2.2']), undefined)
  nowMs = 60_000
  assert.equal(cache.get(asked, SERVERS), undefined)
})

test('nothing is kept for longer than five minutes', () => {
  let nowMs = 0
  const cache = new Cache(() => nowMs)
  const asked = read(query('x.example', TYPE.A))
  cache.put(asked, SERVERS, response(asked, 86_400))
  nowMs = 300_000
  assert.equal(cache.get(asked, SERVERS), undefined)
})

test('of very many answers those that nobody asks for go', () => {
  const cache = new Cache(() => 0)
  const used = read(query('used.example', TYPE.A))
  cache.put(used, SERVERS, response(used, 60))
  const first = read(query('n0.example', TYPE.A))
  for (let number = 0; number < 1500; number++) {
    const asked = read(query(`n${number}.example`, TYPE.A))
    cache.put(asked, SERVERS, response(asked, 60))
    assert.ok(cache.get(used, SERVERS))
  }
  assert.equal(cache.get(first, SERVERS), undefined)
})

function read(bytes: Buffer): Query {
  const parsed = parseQuery(bytes)
  assert.ok(parsed !== undefined && !('error' in parsed))
  return parsed
}

function response(asked: Query, ttl: number): Response {
  const bytes = answerTo(asked.bytes, [record(TYPE.A, ttl, Buffer.alloc(4))])
  const parsed = parseResponse(bytes, asked, 0x1234)
  assert.ok(parsed)
  return parsed
}
