import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseApiVersion } from './api-version.ts'

test('every version from 1.24 to 1.51 is served', () => {
  assert.equal(parseApiVersion('1.24'), 24)
  assert.equal(parseApiVersion('1.51'), 51)
})

test('a newer version is refused with the newest one that is served', () => {
  for (const version of ['1.52', '1.99', '2.0']) {
    assert.throws(() => parseApiVersion(version), {
      code: 'INVALID_ARGUMENT',
      message: `client version ${version} is too new. Maximum supported API version is 1.51`,
    })
  }
})

test('an older version is refused with the oldest one that is served', () => {
  for (const version of ['1.23', '1', '0.9', '1.']) {
    assert.throws(() => parseApiVersion(version), {
      message: `client version ${version} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version`,
    })
  }
})

test('routes may be older, with the fields of the oldest one that is served', () => {
  assert.equal(parseApiVersion('1.22', 12), 24)
  assert.equal(parseApiVersion('1.30', 12), 30)
  assert.throws(() => parseApiVersion('1.22'), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => parseApiVersion('1.11', 12), { code: 'INVALID_ARGUMENT' })
})
