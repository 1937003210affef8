import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { crossSiteRefusal } from './cross-site.ts'

const plain = { isPlain: true }
const tls = { isPlain: false }

test('clients that are no browsers send no Origin', () => {
  const hosts = [
    '127.0.0.1:2375',
    'localhost',
    'LOCALHOST:1',
    'a.localhost',
    '[::1]:2375',
    hostname(),
  ]
  for (const host of hosts) assert.equal(crossSiteRefusal({ host }, plain), undefined, host)
  assert.equal(crossSiteRefusal({}, plain), undefined)
})

test('a name that somebody may have pointed at us is refused on plain TCP', () => {
  for (const host of [
    'evil.example',
    'evil.example:2375',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    'evil.example#.localhost',
  ]) {
    assert.match(crossSiteRefusal({ host }, plain) ?? '', /is not a name of this machine$/)
    assert.equal(crossSiteRefusal({ host }, tls), undefined)
  }
})

test('web pages of other origins are refused', () => {
  const host = '127.0.0.1:2375'
  for (const origin of [
    'https://evil.example',
    'null',
    'http://127.0.0.1',
    'https://127.0.0.1:2375',
  ]) {
    assert.match(crossSiteRefusal({ host, origin }, plain) ?? '', /^requests of web pages from /)
  }
  assert.equal(crossSiteRefusal({ host, origin: 'http://127.0.0.1:2375' }, plain), undefined)
  assert.equal(crossSiteRefusal({ host, origin: 'https://127.0.0.1:2375' }, tls), undefined)
  assert.match(crossSiteRefusal({ host, origin: 'http://127.0.0.1:2375' }, tls) ?? '', /refused/)
})
