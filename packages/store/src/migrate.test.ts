import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { EndpointTable } from './endpoints.ts'
import { EventTable } from './events.ts'
import { ExecTable } from './execs.ts'
import { migrate } from './migrate.ts'
import { NameTable } from './names.ts'
import { NetworkTable } from './networks.ts'
import { openStore, transaction } from './open.ts'

const CONTAINER = 'c'.repeat(64)
const ENDPOINT = 'e'.repeat(64)

/** A database as the engine before left it, with a container that runs. */
function writeSchema10(path: string): void {
  const db = new Database(path)
  migrate(db, 10)
  db.exec(`
    INSERT INTO networks (id, name, driver, created_at_ns, bridge) VALUES ('net', 'web', 'bridge', 1, 'br0');
    INSERT INTO endpoints VALUES ('${ENDPOINT}', 'net', '${CONTAINER}', 'cc', 1, 'veth1', '02:42:0a:00:00:02',
      '["Alias"]', 1, '["9.9.9.9"]', '{"db":"other"}');
    INSERT INTO addresses VALUES ('net', 4, x'0a000002', '${ENDPOINT}'),
      ('net', 6, x'fd000000000000000000000000000002', '${ENDPOINT}');
    INSERT INTO published_ports VALUES ('tcp', 8080, '0.0.0.0', 80, '${ENDPOINT}');
    INSERT INTO endpoint_names VALUES ('net', 'alias', '${ENDPOINT}');
    INSERT INTO events (time_ns, type, action, actor_id, attributes) VALUES (5, 'container', 'start', 'a', '{}');
    DELETE FROM events;
    INSERT INTO events (time_ns, type, action, actor_id, attributes) VALUES (6, 'container', 'die', 'a', '{}');
  `)
  db.close()
}

test('what running containers hold comes through the change of tables, and through a restart', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-store-'))
  const path = join(directory, 'ctr.db')
  try {
    writeSchema10(path)
    for (const time of ['after the migration', 'after a restart']) {
      const store = openStore(path)
      const endpoints = new EndpointTable(store)
      assert.deepEqual(
        endpoints.all(),
        [
          {
            id: ENDPOINT,
            networkId: 'net',
            containerId: CONTAINER,
            containerName: 'cc',
            interface: 1,
            link: 'veth1',
            macAddress: '02:42:0a:00:00:02',
            aliases: ['Alias'],
            isGateway: true,
            gatewayPriority: 0,
            isChanging: false,
            ipv4: 0x0a000002n,
            ipv6: 0xfd000000000000000000000000000002n,
            ports: [{ protocol: 'tcp', hostPort: 8080, hostIp: '0.0.0.0', containerPort: 80 }],
          },
        ],
        time,
      )
      const names = new NameTable(store, endpoints)
      assert.deepEqual(names.find('net', 'alias')[0], Buffer.from([10, 0, 0, 2]))
      assert.deepEqual(names.attachments(CONTAINER), [
        { networkId: 'net', nameservers: ['9.9.9.9'], links: { db: 'other' } },
      ])
      assert.equal(endpoints.isPortTaken('tcp', '127.0.0.1', 8080), true)
      store.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('an endpoint that is renamed and no longer the way out is so after a restart', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-store-'))
  const path = join(directory, 'ctr.db')
  try {
    writeSchema10(path)
    const store = openStore(path)
    const endpoints = new EndpointTable(store)
    transaction(store, () => {
      endpoints.renameContainer(CONTAINER, 'dd')
      endpoints.setGateway(ENDPOINT, false)
    })
    store.close()
    const again = openStore(path)
    const [row] = new EndpointTable(again).all()
    assert.throws(() => new NetworkTable(again).delete('net'), /an endpoint is on network net/)
    assert.deepEqual([row?.containerName, row?.isGateway], ['dd', false])
    transaction(again, () =>
      new EndpointTable(again).delete({ id: ENDPOINT, containerId: CONTAINER }),
    )
    again.close()
    const last = openStore(path)
    assert.deepEqual(new EndpointTable(last).all(), [])
    new NetworkTable(last).delete('net')
    assert.deepEqual(new NetworkTable(last).all(), [])
    last.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a rolled back endpoint leaves nothing, on the disk and in memory', () => {
  const store = openStore(':memory:')
  const endpoints = new EndpointTable(store)
  const row = {
    id: ENDPOINT,
    networkId: 'net',
    containerId: CONTAINER,
    containerName: 'cc',
    interface: 0,
    link: undefined,
    macAddress: '',
    aliases: [],
    isGateway: false,
    gatewayPriority: 0,
    isChanging: false,
    ipv4: 0x0a000002n,
    ipv6: undefined,
    ports: [],
  }
  assert.throws(() =>
    transaction(store, () => {
      endpoints.insert(row, { names: [], nameservers: [], links: {} })
      throw new Error('no')
    }),
  )
  assert.deepEqual(endpoints.ofContainer(CONTAINER), [])
  assert.equal(endpoints.isAddressTaken('net', 4, 0x0a000002n), false)
  assert.equal(store.db.prepare('SELECT count(*) FROM kept_endpoints').pluck().get(), 0)
  store.close()
})

test('execs come through the change of their table, in their order', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-store-'))
  const path = join(directory, 'ctr.db')
  const [first, second] = ['f'.repeat(64), 'a'.repeat(64)]
  try {
    const db = new Database(path)
    migrate(db, 12)
    db.pragma('foreign_keys = OFF')
    db.exec(`
      INSERT INTO execs (id, container_id, created_at_ns, config, status, pid, start_time) VALUES
        ('${second}', '${CONTAINER}', 1700000000000000002, '{}', 'running', 7, 9007199254740993),
        ('${first}', '${CONTAINER}', 1700000000000000001, '{}', 'created', 0, 0);
    `)
    db.close()
    const store = openStore(path)
    const execs = new ExecTable(store)
    const [one, two] = execs.all()
    assert.deepEqual([one?.id, two?.id, two?.startTime], [first, second, 9007199254740993n])
    assert.ok(one && two)
    transaction(store, () => {
      execs.update({ ...two, status: 'exited', exitCode: 3 })
      execs.delete(one.number)
      const { number: _, ...row } = one
      assert.equal(execs.insert(row), two.number + 1)
    })
    assert.deepEqual(
      execs.all().map(({ id, exitCode }) => [id, exitCode]),
      [
        [second, 3],
        [first, null],
      ],
    )
    store.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('numbers of events go on behind what was there, also when all are old', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-store-'))
  const path = join(directory, 'ctr.db')
  try {
    writeSchema10(path)
    const store = openStore(path)
    const events = new EventTable(store)
    events.prune(1000, 1_000_000n)
    const event = {
      timeNs: 7n,
      type: 'container',
      action: 'destroy',
      actorId: 'a',
      attributes: '{}',
    }
    assert.equal(events.insert(event), 3n)
    store.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('networks and their pools come through the change of their tables, and are tied as before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-store-'))
  const path = join(directory, 'ctr.db')
  try {
    const db = new Database(path)
    migrate(db, 15)
    db.exec(`
      INSERT INTO networks (id, name, driver, created_at_ns, bridge, is_internal, options, labels, ipam_options, config_from)
        VALUES ('n', 'web', 'bridge', 1700000000000000001, 'br0', 1, '{"a":"b"}', '{"c":"d"}', '{}', 'from');
      INSERT INTO network_pools VALUES ('n', '10.1.0.0/16', '10.1.0.1', NULL, '{"x":"10.1.0.9"}', 1);
    `)
    db.close()
    const store = openStore(path)
    const networks = new NetworkTable(store)
    const [web] = networks.all()
    assert.ok(web)
    const { pools, ...row } = web
    assert.deepEqual(
      [row.name, row.bridge, row.isInternal, row.createdAtNs, row.options, row.configFrom],
      ['web', 'br0', true, 1700000000000000001n, { a: 'b' }, 'from'],
    )
    assert.deepEqual(pools, [
      {
        subnet: '10.1.0.0/16',
        gateway: '10.1.0.1',
        ipRange: undefined,
        auxAddresses: { x: '10.1.0.9' },
        isExplicit: true,
      },
    ])
    transaction(store, () => {
      networks.insert({ ...web, id: 'm', name: 'lan', driver: 'macvlan', bridge: undefined })
      networks.delete('n')
    })
    const left = store.db.prepare('SELECT network_id FROM network_pools').pluck().all()
    assert.deepEqual(left, ['m'])
    store.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
