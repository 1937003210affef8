import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readPlainRequest } from './request.ts'

const read = (text: string): ReturnType<typeof readPlainRequest> =>
  readPlainRequest(Buffer.from(text, 'latin1'))
const get = (...fields: string[]): ReturnType<typeof readPlainRequest> =>
  read(['GET /_ping HTTP/1.1', 'Host: d', ...fields, '', ''].join('\r\n'))

describe('a plain request', () => {
  it('is read with its headers and the place of its body', () => {
    const head = 'POST /a?b=c HTTP/1.1\r\nHOST: d\r\nX-Y:  two words \r\nContent-Length: 5\r\n\r\n'
    assert.deepEqual(read(`${head}hello`), {
      method: 'POST',
      url: '/a?b=c',
      headers: { host: 'd', 'x-y': 'two words', 'content-length': '5' },
      bodyAt: head.length,
      bodyLength: 5,
      isUpgrade: false,
    })
    assert.equal(get('Connection: Keep-Alive')?.bodyLength, 0)
    assert.equal(get('Accept:')?.headers.accept, '')
    assert.equal(get('Connection: upgrade', 'Upgrade: TCP')?.isUpgrade, true)
  })

  it('is nothing that needs a parser of its own', () => {
    for (const text of [
      '',
      'GET /_ping HTTP/1.1\r\nHost: d\r\n',
      'GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n',
      'GET /_ping HTTP/1.1\r\n\r\n',
      'GET  /_ping HTTP/1.1\r\nHost: d\r\n\r\n',
      'GET /_ping HTTP/1.1\nHost: d\n\r\n\r\n',
      'PATCH /_ping HTTP/1.1\r\nHost: d\r\n\r\n',
      'GET http://d/_ping HTTP/1.1\r\nHost: d\r\n\r\n',
      'GET /\xe9 HTTP/1.1\r\nHost: d\r\n\r\n',
      '\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n',
    ]) {
      assert.equal(read(text), undefined, JSON.stringify(text))
    }
    for (const field of [
      'Host: e',
      'Transfer-Encoding: chunked',
      'transfer-encoding : chunked',
      'Expect: 100-continue',
      'Upgrade: tcp',
      'Connection: Upgrade',
      'Connection: close',
      'Connection: keep-alive, Upgrade',
      'Content-Length: 1, 1',
      'Content-Length: +1',
      'Content-Length: 01',
      'Content-Length: 0x1',
      'Content-Length: 99999999',
      'Content-Length:',
      ' folded',
      'X: \xe9',
      'X: a\rb',
      'X: a\0b',
      'X Y: z',
      ': z',
      'no colon',
      `X: ${'y'.repeat(5000)}`,
    ]) {
      assert.equal(get(field), undefined, field)
    }
    assert.equal(get('Content-Length: 1', 'Content-Length: 2'), undefined)
    assert.equal(get('Connection: Upgrade', 'Upgrade: websocket'), undefined)
    assert.equal(get('Connection: keep-alive', 'Upgrade: tcp'), undefined)
  })
})
