import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, parseHost } from './hosts.ts'

const TLS = { cert: '/c', key: '/k' }
const MUTUAL = { ...TLS, ca: '/a' }

test('hosts as dockerd reads them', () => {
  const cases = [
    ['unix:///a/b.sock', undefined, { kind: 'unix', path: '/a/b.sock' }],
    ['unix://', undefined, { kind: 'unix', path: '/var/run/ctr.sock' }],
    ['', undefined, { kind: 'unix', path: '/var/run/ctr.sock' }],
    ['tcp://127.0.0.1:99', undefined, { kind: 'tcp', host: '127.0.0.1', port: 99 }],
    ['tcp://', undefined, { kind: 'tcp', host: '127.0.0.1', port: 2375 }],
    ['tcp://:7', undefined, { kind: 'tcp', host: '127.0.0.1', port: 7 }],
    ['127.0.0.1:7', undefined, { kind: 'tcp', host: '127.0.0.1', port: 7 }],
    ['tcp://[::1]:7', undefined, { kind: 'tcp', host: '::1', port: 7 }],
    ['tcp://localhost', TLS, { kind: 'tcp', host: 'localhost', port: 2376 }],
    ['tcp://0.0.0.0', MUTUAL, { kind: 'tcp', host: '0.0.0.0', port: 2376 }],
    ['fd://', undefined, { kind: 'fd', fd: 'all' }],
    ['fd://*', undefined, { kind: 'fd', fd: 'all' }],
    ['fd://4', undefined, { kind: 'fd', fd: 4 }],
  ] as const
  for (const [text, tls, host] of cases) assert.deepEqual(parseHost(text, tls), host, text)
})

test('an address off loopback needs client certificates', () => {
  for (const host of ['0.0.0.0', '192.168.1.2', '[::]', 'example.com', '128.0.0.1']) {
    for (const tls of [undefined, TLS]) {
      assert.throws(() => parseHost(`tcp://${host}:2375`, tls), {
        code: 'INVALID_ARGUMENT',
        message: /off loopback would make everybody on the network root .* use --tlsverify/,
      })
    }
    assert.equal(parseHost(`tcp://${host}:2375`, MUTUAL).kind, 'tcp')
  }
})

test('what is no address is refused', () => {
  const bad = ['http://x', 'tcp://a:b', 'tcp://127.0.0.1:65536', 'tcp://a/b', 'fd://2', 'fd://x']
  for (const text of [...bad, 'tcp://[::1', `unix:///${'x'.repeat(108)}`]) {
    assert.throws(() => parseHost(text, MUTUAL), { code: 'INVALID_ARGUMENT' }, text)
  }
})

test('loopback addresses', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1']) {
    assert.equal(isLoopback(host), true, host)
  }
  for (const host of ['::', '10.0.0.1', '::2', '1::1', 'localhost.evil.example', '127.evil']) {
    assert.equal(isLoopback(host), false, host)
  }
})
