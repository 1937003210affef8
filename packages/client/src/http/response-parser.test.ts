import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Expectation, ResponseParser } from './response-parser.ts'

interface Parsed {
  interims: number[]
  heads: { status: number; isUpgraded: boolean }[]
  body: string
  completed: number
}

/** Feeds the text in pieces of `size` bytes. */
function parse(
  text: string,
  size: number,
  expectation: Partial<Expectation> = {},
): Parsed & { end: boolean } {
  const parsed: Parsed = { interims: [], heads: [], body: '', completed: 0 }
  const parser = new ResponseParser({
    interim: (status) => parsed.interims.push(status),
    head: ({ status }, isUpgraded) => parsed.heads.push({ status, isUpgraded }),
    body: (chunk) => {
      parsed.body += Buffer.from(chunk).toString()
    },
    complete: () => {
      parsed.completed += 1
    },
  })
  parser.expect({ method: 'GET', hijack: false, ...expectation })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size))
  return { ...parsed, end: parser.finish() }
}

const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nTrailer: a\r\n\r\n'

describe('ResponseParser', () => {
  for (const size of [1, 2, 3, 7, 1000]) {
    it(`reads a chunked body in pieces of ${size}`, () => {
      const parsed = parse(CHUNKED, size)
      assert.equal(parsed.body, 'hello, world')
      assert.equal(parsed.completed, 1)
      assert.equal(parsed.end, true)
    })
    it(`reads a body of known length in pieces of ${size}`, () => {
      const parsed = parse('HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc', size)
      assert.deepEqual([parsed.heads[0]?.status, parsed.body, parsed.completed], [201, 'abc', 1])
    })
    it(`passes bytes after 101 unchanged in pieces of ${size}`, () => {
      const parsed = parse('HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw\r\n\r\nbytes', size, {
        hijack: true,
      })
      assert.deepEqual(parsed.heads, [{ status: 101, isUpgraded: true }])
      assert.equal(parsed.body, 'raw\r\n\r\nbytes')
      assert.equal(parsed.completed, 0)
    })
  }

  it('takes 200 with a docker stream type as an upgrade when one was asked for', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nx'
    assert.equal(parse(text, 10, { hijack: true }).heads[0]?.isUpgraded, true)
    assert.equal(parse(text, 10).heads[0]?.isUpgraded, false)
  })

  it('skips 100 Continue', () => {
    const parsed = parse('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n', 5)
    assert.deepEqual(parsed.interims, [100])
    assert.deepEqual(parsed.heads, [{ status: 204, isUpgraded: false }])
    assert.equal(parsed.completed, 1)
  })

  it('expects no body after HEAD', () => {
    assert.equal(
      parse('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 9, { method: 'HEAD' }).completed,
      1,
    )
  })

  it('ends a body without length at the close', () => {
    const parsed = parse('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end', 4)
    assert.deepEqual([parsed.body, parsed.end], ['until the end', true])
  })

  it('tells a cut body from a complete one', () => {
    assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 4).end, false)
    assert.equal(parse(CHUNKED.slice(0, -10), 4).end, false)
  })

  for (const [name, text] of [
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    [
      'a chunk longer than its size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    ],
    ['a bad length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a header that never ends', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(300_000)}`],
    ['bytes after the response', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ] as const) {
    it(`refuses ${name}`, () => assert.throws(() => parse(text, 4096)))
  }
})
