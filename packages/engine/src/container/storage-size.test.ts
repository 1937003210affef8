import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStorageSize, storageSize } from './storage-size.ts'

test('sizes as go-units reads them', () => {
  for (const [text, bytes] of [
    ['10', 10],
    ['1k', 1024],
    ['20MB', 20 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['2T', 2 * 1024 ** 4],
    ['0', undefined],
  ] as const) {
    assert.equal(storageSize({ StorageOpt: { size: text } }), bytes, text)
  }
  assert.equal(storageSize({}), undefined)
  for (const text of ['', 'abc', '-1', '1x', '1 2']) {
    const message = `invalid size: '${text}'`
    assert.throws(() => storageSize({ StorageOpt: { size: text } }), { message })
  }
})

test('what cannot be is refused', () => {
  // procfs has no quotas.
  const o = { dataRoot: '/proc', hasImage: true }
  assert.throws(() => checkStorageSize({ StorageOpt: { bogus: '1' } }, o), /unknown option bogus/)
  assert.throws(
    () => checkStorageSize({ StorageOpt: { size: '20m' } }, o),
    /--storage-opt is supported only for overlay over xfs with 'pquota' mount option/,
  )
  checkStorageSize({ StorageOpt: { size: '0' } }, o)
  checkStorageSize({ StorageOpt: {} }, o)
  assert.throws(
    () => checkStorageSize({ StorageOpt: { size: '20m' } }, { ...o, hasImage: false }),
    /storage-opt and rootfs/,
  )
})
