import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Network } from '../network/network.ts'
import { type Asker, answerLocally, type Directory, leadsOut, parseReverseName } from './local.ts'
import { parseQuery, type Query, RCODE, TYPE } from './message.ts'
import { query } from './message-fixture.ts'

const front = network('front', '10.1.0.0/24')
const back = network('Back', '10.2.0.0/24', { isInternal: true })
const bridge = network('bridge', '10.9.0.0/24')

/** Network id → name → last bytes of addresses. */
const records: Record<string, Record<string, number[]>> = {
  front: { web: [2], www: [2, 3, 4], db: [9] },
  Back: { db: [5], 'my.db': [6] },
  bridge: { hidden: [7] },
}
const directory: Directory = {
  find: (id, name) => (records[id]?.[name] ?? []).map((last) => Buffer.from([10, 0, 0, last])),
  nameAt: (_id, address) => (address[3] === 2 ? 'web' : undefined),
}
const asker: Asker = {
  containerId: 'c',
  nameservers: [],
  attachments: [
    { network: front, links: { database: 'db' } },
    { network: back, links: {} },
  ],
}

const questions: [string, number, string[] | 'elsewhere' | 'no such name'][] = [
  ['web', TYPE.A, ['2']],
  ['WEB', TYPE.A, ['2']],
  ['www', TYPE.A, ['2', '3', '4']],
  ['db', TYPE.A, ['9']], // the first network that knows it
  ['db.back', TYPE.A, ['5']],
  ['web.front', TYPE.A, ['2']],
  ['my.db', TYPE.A, ['6']],
  ['my.db.back', TYPE.A, ['6']],
  ['database', TYPE.A, ['9']],
  ['web', TYPE.AAAA, []],
  ['web', TYPE.SOA, []],
  ['hidden', TYPE.A, 'elsewhere'],
  ['example.com', TYPE.A, 'elsewhere'],
  ['toString', TYPE.A, 'elsewhere'],
  ['', TYPE.A, 'elsewhere'],
  ['2.0.1.10.in-addr.arpa', TYPE.PTR, ['web.front']],
  ['2.0.1.10.in-addr.arpa', TYPE.A, []],
  ['77.0.2.10.in-addr.arpa', TYPE.PTR, 'no such name'],
  ['1.1.1.1.in-addr.arpa', TYPE.PTR, 'elsewhere'],
  ['2.0.9.10.in-addr.arpa', TYPE.PTR, 'elsewhere'],
]
for (const [name, type, expected] of questions) {
  test(`type ${type} of "${name}" is ${JSON.stringify(expected)}`, () => {
    const answer = answerLocally(directory, asker, ask(name, type))
    if (expected === 'elsewhere') return assert.equal(answer, undefined)
    if (expected === 'no such name') return assert.equal(answer?.rcode, RCODE.NXDOMAIN)
    assert.equal(answer?.rcode, RCODE.NOERROR)
    const values = answer.records.map(({ data }) =>
      type === TYPE.PTR ? readName(data) : String(data.at(-1)),
    )
    assert.deepEqual(values.sort(), expected)
  })
}

test('of several containers each comes first in turn', () => {
  const first = (): number | undefined =>
    answerLocally(directory, asker, ask('www', TYPE.A))?.records[0]?.data.at(-1)
  const seen = new Set(Array.from({ length: 200 }, first))
  assert.deepEqual(seen, new Set([2, 3, 4]))
})

test('a container leads out by the default bridge, too, but finds no names on it', () => {
  const alone: Asker = { ...asker, attachments: [{ network: bridge, links: {} }] }
  assert.ok(leadsOut(alone))
  assert.equal(answerLocally(directory, alone, ask('hidden', TYPE.A)), undefined)
  assert.ok(!leadsOut({ ...asker, attachments: [{ network: back, links: {} }] }))
})

test('reverse names are addresses, everything else is not', () => {
  assert.deepEqual(parseReverseName('4.3.2.1.in-addr.arpa'), { family: 4, value: 0x01020304n })
  const ipv6 = `2${'.0'.repeat(29)}.d.f.ip6.arpa`
  assert.deepEqual(parseReverseName(ipv6), {
    family: 6,
    value: 0xfd000000000000000000000000000002n,
  })
  for (const bad of [
    '3.2.1.in-addr.arpa',
    '256.3.2.1.in-addr.arpa',
    '01.3.2.1.in-addr.arpa',
    'x.ip6.arpa',
    'arpa',
  ]) {
    assert.equal(parseReverseName(bad), undefined)
  }
})

function ask(name: string, type: number): Query {
  const parsed = parseQuery(query(name, type))
  assert.ok(parsed !== undefined && !('error' in parsed))
  return parsed
}

function readName(data: Uint8Array): string {
  const labels: string[] = []
  for (let offset = 0; data[offset]; offset += 1 + (data[offset] ?? 0)) {
    const label = data.subarray(offset + 1, offset + 1 + (data[offset] ?? 0))
    labels.push(Buffer.from(label).toString())
  }
  return labels.join('.')
}

function network(name: string, subnet: string, part: Partial<Network> = {}): Network {
  return {
    id: name,
    name,
    driver: 'bridge',
    createdAtNs: 0n,
    bridge: `br-${name}`,
    isForeign: false,
    isInternal: false,
    isAttachable: false,
    hasIpv6: false,
    options: {},
    labels: {},
    ipamOptions: undefined,
    configFrom: '',
    configuration: undefined,
    pools: [
      {
        subnet,
        gateway: subnet.replace('0/24', '1'),
        ipRange: undefined,
        auxAddresses: {},
        isExplicit: true,
      },
    ],
    ...part,
  }
}
