import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { EndpointRow } from './endpoint-rows.ts'
import { EndpointTable } from './endpoints.ts'
import { NameTable } from './names.ts'
import { openStore, type Store, transaction, volatileTransaction } from './open.ts'

const CONTAINER = 'c'.repeat(64)
const NO_NAMES = { names: [], nameservers: [], links: {} }

function row(index: number, more: Partial<EndpointRow> = {}): EndpointRow {
  return {
    id: String(index).repeat(64),
    networkId: `net${index}`,
    containerId: CONTAINER,
    containerName: 'cc',
    interface: index,
    link: `veth${index}`,
    macAddress: '02:42:0a:00:00:02',
    aliases: ['a'],
    isGateway: index === 0,
    gatewayPriority: 0,
    isChanging: false,
    ipv4: 0x0a000002n + BigInt(index),
    ipv6: undefined,
    ports: [],
    ...more,
  }
}

const port = { protocol: 'tcp', hostIp: '0.0.0.0' } as const
const PORTS = [
  { ...port, hostPort: 81, containerPort: 80 },
  { ...port, hostPort: 80, containerPort: 80 },
]

function failing(store: Store, body: () => void): void {
  assert.throws(
    () =>
      transaction(store, () => {
        body()
        throw new Error('taken back')
      }),
    /taken back/,
  )
}

test('rows of a container are the same as they were given and as they are read', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  transaction(store, () => {
    endpoints.insert(row(1), NO_NAMES)
    endpoints.insert(row(0, { ports: PORTS }), NO_NAMES)
  })
  const expected = [row(0, { ports: PORTS.toReversed() }), row(1)]
  assert.deepEqual(endpoints.ofContainer(CONTAINER), expected)
  assert.deepEqual(endpoints.all(), expected)
  // Filled from the documents, it has to ask.
  assert.deepEqual(new EndpointTable(store).ofContainer(CONTAINER), expected)
  store.close()
})

test('changes that are rolled back are not in the rows of a container', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  failing(store, () => {
    endpoints.insert(row(0), NO_NAMES)
    assert.deepEqual(endpoints.ofContainer(CONTAINER), [row(0)])
  })
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [])

  transaction(store, () => endpoints.insert(row(0), NO_NAMES))
  failing(store, () => {
    endpoints.delete(row(0))
    assert.deepEqual(endpoints.ofContainer(CONTAINER), [])
  })
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [row(0)])
  failing(store, () => {
    endpoints.setChanging(row(0).id, true)
    assert.equal(endpoints.ofContainer(CONTAINER)[0]?.isChanging, true)
  })
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [row(0)])
  store.close()
})

test('a part of a transaction that is rolled back takes no other part with it', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  transaction(store, () => {
    endpoints.insert(row(0), NO_NAMES)
    failing(store, () => endpoints.insert(row(1), NO_NAMES))
  })
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [row(0)])
  transaction(store, () => endpoints.delete(row(0)))
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [])
  assert.deepEqual(endpoints.containerIds(), [])
  store.close()
})

/** As on the networks host and none. */
function bareRow(index: number, more: Partial<EndpointRow> = {}): EndpointRow {
  return row(index, { link: undefined, macAddress: '', isGateway: false, ipv4: undefined, ...more })
}

test('an endpoint that holds nothing on the host is found, changed and kept as any other', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  const other = 'a'.repeat(64)
  const linked = row(2, { containerId: other, containerName: 'aa', networkId: 'net0' })
  transaction(store, () => {
    endpoints.insert(bareRow(0), NO_NAMES)
    endpoints.insert(linked, NO_NAMES)
  })
  const check = (table: EndpointTable, expected: EndpointRow): void => {
    assert.deepEqual(table.ofContainer(CONTAINER), [expected])
    assert.deepEqual(table.all(), [linked, expected])
    const byName = [linked, expected].sort((a, b) => (a.containerName < b.containerName ? -1 : 1))
    assert.deepEqual(table.ofNetwork('net0'), byName)
    assert.deepEqual(new Set(table.containerIds()), new Set([CONTAINER, other]))
  }
  check(endpoints, bareRow(0))
  transaction(store, () => {
    endpoints.renameContainer(CONTAINER, 'a')
    endpoints.setChanging(bareRow(0).id, true)
  })
  const changed = bareRow(0, { containerName: 'a', isChanging: true })
  check(endpoints, changed)
  check(new EndpointTable(store), changed)
  failing(store, () => {
    endpoints.renameContainer(CONTAINER, 'zz')
    endpoints.insert(bareRow(1), NO_NAMES)
  })
  check(endpoints, changed)
  failing(store, () => endpoints.delete(changed))
  check(endpoints, changed)
  transaction(store, () => endpoints.delete(changed))
  for (const table of [endpoints, new EndpointTable(store)]) {
    assert.deepEqual(table.all(), [linked])
    assert.deepEqual(table.ofContainer(CONTAINER), [])
  }
  store.close()
})

/** The only one of a container, its link named after it. */
function usualRow(digit: string, more: Partial<EndpointRow> = {}): EndpointRow {
  return row(0, {
    id: digit.repeat(64),
    containerId: digit.repeat(64),
    link: `veth${digit.repeat(11)}`,
    ipv4: 0x0a000000n + BigInt(`0x${digit}`),
    ...more,
  })
}

function rowsInTables(store: Store): unknown {
  return store.db.prepare('SELECT count(*) FROM endpoints').pluck().get()
}

test('the tables are asked while somebody else has locked the file', () => {
  const directory = mkdtempSync('/tmp/ctr-store-')
  const path = join(directory, 'ctr.db')
  const store = openStore(path)
  const other = openStore(path)
  const endpoints = new EndpointTable(store)
  const usual = usualRow('a')
  volatileTransaction(store, () => endpoints.insert(usual, NO_NAMES))
  assert.equal(rowsInTables(store), 0)
  other.run(() => {
    assert.throws(() => volatileTransaction(store, () => undefined), /database is locked/)
    assert.deepEqual(endpoints.all(), [usual])
  })
  other.close()
  store.close()
  rmSync(directory, { recursive: true })
})

test('the usual endpoint is in the tables when somebody asks them, and found before and after', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  const names = new NameTable(store, endpoints)
  const [a, b] = [usualRow('a'), usualRow('b')]
  transaction(store, () => {
    endpoints.insert(a, { ...NO_NAMES, names: ['alias'] })
    endpoints.insert(b, NO_NAMES)
  })
  assert.equal(rowsInTables(store), 0)
  assert.deepEqual(endpoints.ofContainer(a.containerId), [a])
  assert.deepEqual(endpoints.containerIds(), [a.containerId, b.containerId])
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000an), true)
  assert.equal(endpoints.isAddressTaken('net1', 4, 0x0a00000an), false)

  transaction(store, () => endpoints.delete(b))
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000bn), false)
  assert.deepEqual(names.find('net0', 'alias'), [Buffer.from([10, 0, 0, 10])])
  assert.equal(rowsInTables(store), 1)
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000an), true)
  assert.deepEqual([...endpoints.addressesFrom('net0', 4, 0n)], [0x0a00000an])

  transaction(store, () => endpoints.delete(a))
  assert.equal(rowsInTables(store), 0)
  assert.deepEqual(endpoints.all(), [])
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000an), false)
  store.close()
})

test('tables that are asked within a transaction which is rolled back lose nothing', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  const [a, b, c] = [usualRow('a'), usualRow('b'), usualRow('c')]
  transaction(store, () => endpoints.insert(a, NO_NAMES))
  failing(store, () => {
    endpoints.insert(b, NO_NAMES)
    assert.deepEqual(endpoints.ofNetwork('net0').length, 2)
    assert.equal(rowsInTables(store), 2)
  })
  assert.deepEqual(endpoints.ofContainer(b.containerId), [])
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000an), true)
  assert.equal(endpoints.isAddressTaken('net0', 4, 0x0a00000bn), false)
  transaction(store, () => {
    failing(store, () => endpoints.delete(a))
    endpoints.insert(c, NO_NAMES)
  })
  assert.deepEqual(endpoints.all(), [a, c])
  assert.deepEqual(new EndpointTable(store).all(), [a, c])
  store.close()
})

test('what contradicts an endpoint that is in no table yet is refused all the same', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  const first = usualRow('a')
  const insert = (one: EndpointRow) => (): void =>
    transaction(store, () => endpoints.insert(one, NO_NAMES))
  insert(first)()
  const ipv4 = first.ipv4
  assert.throws(insert(usualRow('b', { ipv4 })), /UNIQUE/)
  assert.throws(insert(usualRow('b', { link: first.link })), /UNIQUE/)
  assert.throws(insert(usualRow('b', { containerId: first.containerId })), /UNIQUE/)
  assert.deepEqual(endpoints.all(), [first])
  insert(usualRow('b'))()
  assert.throws(insert(usualRow('c', { ipv4 })), /UNIQUE/)
  assert.deepEqual(endpoints.all(), [first, usualRow('b')])
  store.close()
})
