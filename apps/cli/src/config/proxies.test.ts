import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyEnvironment } from './proxies.ts'

const proxies = {
  default: { httpProxy: 'http://p:1', noProxy: 'local', ftpProxy: '' },
  'unix:///own.sock': { httpsProxy: 'http://own:2' },
}

test('the default proxies are set in both spellings', () => {
  assert.deepEqual(proxyEnvironment({ proxies }, 'unix:///other.sock', []), [
    'HTTP_PROXY=http://p:1',
    'http_proxy=http://p:1',
    'NO_PROXY=local',
    'no_proxy=local',
  ])
})

test('a daemon has its own proxies', () => {
  assert.deepEqual(proxyEnvironment({ proxies }, 'unix:///own.sock', []), [
    'HTTPS_PROXY=http://own:2',
    'https_proxy=http://own:2',
  ])
})

test('what the user names is left alone, with a value or without', () => {
  assert.deepEqual(proxyEnvironment({ proxies }, '', ['HTTP_PROXY=', 'no_proxy']), [
    'http_proxy=http://p:1',
    'NO_PROXY=local',
  ])
  assert.deepEqual(proxyEnvironment({}, '', []), [])
})
