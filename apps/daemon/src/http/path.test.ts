import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePath } from './path.ts'

test('the version prefix is optional', () => {
  assert.deepEqual(parsePath('/v1.44/info'), { version: '1.44', url: '/info' })
  assert.deepEqual(parsePath('/info'), { version: undefined, url: '/info' })
  assert.deepEqual(parsePath('/volumes/v1'), { version: undefined, url: '/volumes/v1' })
  assert.deepEqual(parsePath('/v1.44'), { version: undefined, url: '/v1.44' })
})

test('slashes inside a name become part of one segment', () => {
  const paths = [
    ['/images/json?all=1', '/images/json?all=1'],
    ['/images/busybox/json', '/images/busybox/json'],
    ['/images/localhost:5000/a/b:1/json', '/images/localhost:5000%2Fa%2Fb:1/json'],
    ['/images/a/b?force=1/2', '/images/a%2Fb?force=1/2'],
    ['/containers/../../etc/json', '/containers/..%2F..%2Fetc/json'],
    ['/containers/abc/attach/ws?logs=1', '/containers/abc/attach/ws?logs=1'],
    ['/containers/a/b/attach', '/containers/a%2Fb/attach'],
    ['/containers/a/b', '/containers/a%2Fb'],
    ['/containers/abc/checkpoints?dir=/x', '/containers/abc/checkpoints?dir=/x'],
    ['/containers/a/b/checkpoints/one', '/containers/a%2Fb/checkpoints/one'],
    ['/networks/?filters={}', '/networks?filters={}'],
    ['/networks/x/connect', '/networks/x/connect'],
    ['/nosuch/a/b', '/nosuch/a/b'],
  ]
  for (const [url = '', expected] of paths) assert.equal(parsePath(url).url, expected)
})

test('an object property is not a resource', () => {
  assert.equal(parsePath('/constructor/a/b').url, '/constructor/a/b')
})
