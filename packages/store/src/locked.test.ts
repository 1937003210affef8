import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { openStore, transaction, volatileTransaction } from './open.ts'

test('a lock of somebody else is waited for once, not by everything that comes after it', () => {
  const root = mkdtempSync('/tmp/ctr-store-test-')
  const store = openStore(join(root, 'ctr.db'))
  const other = new Database(join(root, 'ctr.db'))
  const write = (): void => void store.db.exec('DELETE FROM events')
  const waitsMs = (): unknown => store.db.pragma('busy_timeout', { simple: true })
  const refused = (): void =>
    assert.throws(() => volatileTransaction(store, write), /database is locked/)
  try {
    const usual = waitsMs()
    other.exec('BEGIN IMMEDIATE')
    assert.equal(waitsMs(), usual)
    refused()
    const next = waitsMs()
    assert.ok(Number(next) < Number(usual) / 10, String(next))
    // What needs no lock says nothing of it.
    store.runInMemory(() => undefined)
    assert.throws(() => transaction(store, write), /database is locked/)
    assert.equal(waitsMs(), next)
    other.exec('ROLLBACK')
    volatileTransaction(store, write)
    // A new lock may be a short one.
    assert.equal(waitsMs(), usual)
  } finally {
    other.close()
    store.close()
    rmSync(root, { recursive: true })
  }
})
