import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encodeAnswer,
  encodeName,
  parseQuery,
  parseResponse,
  type Query,
  RCODE,
  readdress,
  TYPE,
  truncate,
} from './message.ts'
import { answerTo, header, name, opt, query, record } from './message-fixture.ts'

test('a query is read: name in lower case, type, size of answers', () => {
  const parsed = read(query('WeB.Example', TYPE.A, [opt(4096)]))
  assert.equal(parsed.name, 'web.example')
  assert.deepEqual([parsed.type, parsed.class, parsed.hasEdns], [1, 1, true])
  assert.equal(parsed.udpBytes, 1232)
  assert.equal(read(query('a', TYPE.A)).udpBytes, 512)
  assert.equal(read(query('a', TYPE.A, [opt(100)])).udpBytes, 512)
  assert.equal(read(query('', TYPE.A)).name, '')
})

test('a dot inside a label is no end of a label', () => {
  const bytes = Buffer.concat([
    header({}),
    Buffer.from('\x03a.b\x01n\x00\x00\x01\x00\x01', 'latin1'),
  ])
  assert.equal(read(bytes).name, 'a\\.b.n')
})

const valid = query('web', TYPE.A, [opt(1232)])
const hostile: [string, Buffer, 'silence' | number][] = [
  ['nothing', Buffer.alloc(0), 'silence'],
  ['eleven bytes', valid.subarray(0, 11), 'silence'],
  ['an answer', answerTo(valid, []), 'silence'],
  ['no question', header({ questions: 0 }), RCODE.FORMERR],
  ['two questions', Buffer.concat([header({ questions: 2 }), valid.subarray(12)]), RCODE.FORMERR],
  [
    '65535 questions',
    Buffer.concat([header({ questions: 65535 }), valid.subarray(12)]),
    RCODE.FORMERR,
  ],
  [
    '65535 records',
    Buffer.concat([header({ additional: 65535 }), valid.subarray(12)]),
    RCODE.FORMERR,
  ],
  [
    'another operation',
    Buffer.concat([header({ flags: 5 << 11 }), valid.subarray(12)]),
    RCODE.NOTIMP,
  ],
  ['a name that points to itself', withName('\xc0\x0c'), RCODE.FORMERR],
  ['a label that is longer than the message', withName('\x3fweb'), RCODE.FORMERR],
  ['a label of reserved kind', withName('\x80web\x00'), RCODE.FORMERR],
  ['a name without end', withName('\x01a'.repeat(10)), RCODE.FORMERR],
  ['a name of 256 bytes', withName(`${'\x3f'.padEnd(64, 'a').repeat(4)}\x00`), RCODE.FORMERR],
  ['more than 4096 bytes', Buffer.concat([valid, Buffer.alloc(4096)]), RCODE.FORMERR],
]
for (const [what, bytes, expected] of hostile) {
  test(`hostile query: ${what}`, () => {
    const parsed = parseQuery(bytes)
    if (expected === 'silence') assert.equal(parsed, undefined)
    else assert.equal(parsed !== undefined && 'error' in parsed && parsed.error, expected)
  })
}

test('no message makes the readers throw or wait', () => {
  const asked = read(query('web.example', TYPE.A, [opt(1232)]))
  const answer = answerTo(asked.bytes, [record(TYPE.A, 60, Buffer.from([1, 2, 3, 4])), opt(512)])
  let seed = 1
  const random = (limit: number): number => {
    seed = (seed * 1103515245 + 12345) % 0x80000000
    return seed % limit
  }
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(answer.subarray(0, random(answer.length + 1)))
    for (let change = random(6); change > 0 && bytes.length > 0; change--) {
      bytes[random(bytes.length)] = random(256)
    }
    const response = parseResponse(bytes, asked, asked.bytes.readUInt16BE(0))
    if (response !== undefined) truncate(readdress(response, asked, 1), asked)
    if (bytes.length > 2) bytes.writeUInt8(0, 2)
    const parsed = parseQuery(bytes)
    if (parsed !== undefined && !('error' in parsed)) {
      encodeAnswer(parsed, { rcode: RCODE.NOERROR, records: [] }, 512)
    }
  }
})

test('an answer has id and spelling of the query, and says that it ends here', () => {
  const asked = read(query('WEB', TYPE.A, [opt(1232)]))
  const bytes = encodeAnswer(
    asked,
    { rcode: RCODE.NOERROR, records: [{ type: TYPE.A, data: Buffer.from([10, 0, 0, 2]) }] },
    512,
  )
  const expected = Buffer.concat([
    header({ flags: 0x8180, answers: 1, additional: 1 }),
    name('WEB'),
    Buffer.from([0, 1, 0, 1]),
    record(TYPE.A, 0, Buffer.from([10, 0, 0, 2])),
    opt(1232),
  ])
  assert.deepEqual(bytes, expected)
})

test('records that do not fit are left out and the answer says so', () => {
  const asked = read(query('many', TYPE.A))
  const records = Array.from({ length: 100 }, () => ({ type: TYPE.A, data: Buffer.alloc(4) }))
  const bytes = encodeAnswer(asked, { rcode: RCODE.NOERROR, records }, asked.udpBytes)
  assert.ok(bytes.length <= 512)
  assert.equal(bytes.readUInt16BE(2) & 0x0200, 0x0200)
  assert.equal(bytes.readUInt16BE(6), Math.floor((512 - 12 - 6 - 4) / 16))
  const whole = encodeAnswer(asked, { rcode: RCODE.NOERROR, records }, 0xffff)
  assert.equal(whole.readUInt16BE(6), 100)
  assert.equal(whole.readUInt16BE(2) & 0x0200, 0)
})

test('names that fit into no message are not encoded', () => {
  assert.deepEqual(encodeName('web.n1'), Buffer.from('\x03web\x02n1\x00', 'latin1'))
  assert.equal(encodeName('a'.repeat(64)), undefined)
  assert.equal(encodeName('a..b'), undefined)
  assert.equal(encodeName('a.'.repeat(130)), undefined)
})

const A = record(TYPE.A, 60, Buffer.from([192, 0, 2, 7]))
const soa = record(
  TYPE.SOA,
  900,
  Buffer.concat([
    Buffer.from([0, 0]),
    Buffer.from('00000001'.repeat(4), 'hex'),
    Buffer.from([0, 0, 0, 30]),
  ]),
)
const lifetimes: [string, Buffer[], Parameters<typeof answerTo>[2], number][] = [
  ['of the shortest record', [A, record(TYPE.A, 20, Buffer.alloc(4))], {}, 20],
  ['of the name server that says there is none', [soa], { rcode: 3, authority: 1 }, 30],
  ['of nothing: not kept', [], {}, 0],
  ['of a failure: not kept', [], { rcode: 2 }, 0],
  ['of a cut-off answer: not kept', [A], { truncated: true }, 0],
  ['of a negative TTL: not kept', [record(TYPE.A, 0xffffffff, Buffer.alloc(4))], {}, 0],
]
for (const [what, records, kind, expected] of lifetimes) {
  test(`lifetime ${what}`, () => {
    const asked = read(query('x.example', TYPE.A))
    const response = parseResponse(answerTo(asked.bytes, records, kind), asked, ID)
    assert.equal(response?.lifetimeSeconds, expected)
  })
}

test('an answer to another question, or with another id, is none', () => {
  const asked = read(query('x.example', TYPE.A))
  const good = answerTo(asked.bytes, [A])
  assert.ok(parseResponse(good, asked, ID))
  assert.ok(parseResponse(answerTo(query('X.EXAMPLE', TYPE.A), [A]), asked, ID))
  assert.equal(parseResponse(good, asked, ID + 1), undefined)
  assert.equal(parseResponse(answerTo(query('y.example', TYPE.A), [A]), asked, ID), undefined)
  assert.equal(parseResponse(answerTo(query('x.example', TYPE.AAAA), [A]), asked, ID), undefined)
  assert.equal(parseResponse(good.subarray(0, -1), asked, ID), undefined)
  assert.equal(parseResponse(asked.bytes, asked, ID), undefined)
})

test('an answer from the cache has become older', () => {
  const asked = read(query('x.example', TYPE.A))
  const response = parseResponse(answerTo(asked.bytes, [A, opt(512)]), asked, ID)
  assert.ok(response)
  const again = Buffer.from(query('X.example', TYPE.A))
  again.writeUInt16BE(7, 0)
  const bytes = readdress(response, read(again), 15)
  assert.equal(bytes.readUInt16BE(0), 7)
  assert.ok(bytes.includes('X'))
  assert.equal(bytes.readUInt32BE(asked.questionEnd + 6), 45)
  assert.deepEqual(bytes.subarray(-11), opt(512))
})

const ID = 0x1234

function withName(text: string): Buffer {
  return Buffer.concat([header({}), Buffer.from(text, 'latin1')])
}

function read(bytes: Buffer): Query {
  const parsed = parseQuery(bytes)
  assert.ok(parsed !== undefined && !('error' in parsed))
  return parsed
}
