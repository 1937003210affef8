import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseHost } from './host.ts'

it('reads the address of a socket', () => {
  assert.deepEqual(parseHost('unix:///run/x.sock'), {
    kind: 'unix',
    path: '/run/x.sock',
    address: 'unix:///run/x.sock',
  })
  assert.equal(parseHost('/run/x.sock').kind, 'unix')
})

it('reads tcp with the default ports', () => {
  assert.partialDeepStrictEqual(parseHost('tcp://h:99'), {
    kind: 'tcp',
    hostname: 'h',
    port: 99,
    tls: undefined,
  })
  assert.partialDeepStrictEqual(parseHost('tcp://[::1]:80'), { hostname: '::1', port: 80 })
  assert.partialDeepStrictEqual(parseHost('tcp://h'), { port: 2375 })
  const tls = { ca: undefined, cert: undefined, key: undefined, verify: true }
  assert.partialDeepStrictEqual(parseHost('tcp://h', tls), { port: 2376, tls })
})

it('reads ssh with user, port and socket', () => {
  assert.partialDeepStrictEqual(parseHost('ssh://me@box:22/run/d.sock'), {
    kind: 'ssh',
    destination: 'me@box',
    port: 22,
    socketPath: '/run/d.sock',
  })
})

for (const text of [
  '',
  'foo',
  'unix://',
  'ftp://x',
  'ssh://-oProxyCommand=x',
  'ssh://u:p@h',
  'tcp://',
]) {
  it(`refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseHost(text), /unable to parse docker host/))
}
