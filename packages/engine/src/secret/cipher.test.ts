import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { SecretCipher } from './cipher.ts'

describe('the cipher of secrets', () => {
  let directory: string
  let path: string
  before(() => {
    directory = mkdtempSync('/tmp/ctr-engine-cipher-')
    path = join(directory, 'key')
  })
  after(() => rmSync(directory, { recursive: true }))

  test('gives back what it took, with a key that only its owner can read', () => {
    const stored = new SecretCipher(path).encrypt('id', Buffer.from('hush'))
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(stored.includes('hush'), false)
    assert.equal(new SecretCipher(path).decrypt('id', stored).toString(), 'hush')
  })

  test('refuses another id, changed data, and another key', () => {
    const cipher = new SecretCipher(path)
    const stored = cipher.encrypt('id', Buffer.from('hush'))
    assert.throws(() => cipher.decrypt('other', stored), /cannot be decrypted/)
    const changed = Buffer.from(stored)
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    assert.throws(() => cipher.decrypt('id', changed), /cannot be decrypted/)
    const key = readFileSync(path)
    writeFileSync(path, Buffer.alloc(32))
    assert.throws(() => new SecretCipher(path).decrypt('id', stored), /cannot be decrypted/)
    writeFileSync(path, 'short')
    assert.throws(() => new SecretCipher(path).decrypt('id', stored), /is not a key/)
    writeFileSync(path, key)
  })
})
