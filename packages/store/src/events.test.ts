import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventTable } from './events.ts'
import { openStore } from './open.ts'

test('events of a time range are those between its ends, wherever numbers are missing', () => {
  const store = openStore(':memory:')
  const table = new EventTable(store)
  assert.deepEqual(table.between(0n, 100n, 0n, 10), [])
  const times = Array.from({ length: 40 }, (_, index) => BigInt(index * 3 + 10))
  for (const timeNs of times) {
    table.insert({ timeNs, type: 'container', action: 'start', actorId: 'a', attributes: '{}' })
  }
  const gone = [1n, 2n, 9n, 10n, 11n, 12n, 20n, 39n]
  for (const sequence of gone)
    store.db.prepare('DELETE FROM events WHERE sequence = ?').run(sequence)
  const left = times.filter((_, index) => !gone.includes(BigInt(index + 1)))
  for (let since = 0n; since < 140n; since++) {
    for (let until = since; until < 140n; until += 7n) {
      const expected = left.filter((timeNs) => timeNs >= since && timeNs <= until)
      const found = table.between(since, until, 0n, 100).map(({ timeNs }) => timeNs)
      assert.deepEqual(found, expected, `${since} to ${until}`)
    }
  }
  assert.deepEqual(
    table.between(0n, 140n, 5n, 3).map(({ sequence }) => sequence),
    [6n, 7n, 8n],
  )
  store.close()
})
