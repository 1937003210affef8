import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, formatAddress, parseAddress, parseSubnet, type Subnet } from '../address.ts'
import {
  type AddressBook,
  allocateAddress,
  chooseIpv6Subnet,
  chooseSubnet,
  LowestFree,
  type Pool,
  requestAddress,
} from './ipam.ts'

test('the lowest free address comes first, a returned one is next', () => {
  const { give, takeBack } = network('172.17.0.0/16')
  assert.deepEqual([give(), give(), give()], ['172.17.0.2', '172.17.0.3', '172.17.0.4'])
  takeBack('172.17.0.3')
  assert.deepEqual([give(), give()], ['172.17.0.3', '172.17.0.5'])
})

test('the hint where to begin never hides a free address', () => {
  const hints = new LowestFree()
  const { give, take, takeBack } = network('172.17.0.0/16', { hints })
  take('172.17.0.4')
  assert.deepEqual([give(), give(), give()], ['172.17.0.2', '172.17.0.3', '172.17.0.5'])
  takeBack('172.17.0.4')
  takeBack('172.17.0.3')
  assert.deepEqual([give(), give(), give()], ['172.17.0.3', '172.17.0.4', '172.17.0.6'])
})

test('a /30 has one address for a container', () => {
  const { give } = network('10.9.0.0/30')
  assert.equal(give(), '10.9.0.2')
  assert.throws(give, {
    message: "no available IPv4 addresses on this network's address pools: n1 (i1)",
  })
})

test('a /16 gives out .255 and .0 in its middle, but not its broadcast address', () => {
  const { give, take } = network('10.80.0.0/16')
  for (let value = 2; value < 255; value++) take(`10.80.0.${value}`)
  assert.deepEqual([give(), give()], ['10.80.0.255', '10.80.1.0'])
})

test('gateway and auxiliary addresses are skipped wherever they are', () => {
  const { give } = network('10.5.0.0/29', {
    gateway: '10.5.0.3',
    auxiliary: ['10.5.0.1', '10.5.0.4'],
  })
  assert.deepEqual([give(), give(), give()], ['10.5.0.2', '10.5.0.5', '10.5.0.6'])
  assert.throws(give)
})

test('an ip-range limits what is given out, not what may be asked for', () => {
  const { give, ask } = network('10.6.0.0/16', { range: '10.6.5.0/30' })
  assert.deepEqual(
    [give(), give(), give(), give()],
    ['10.6.5.0', '10.6.5.1', '10.6.5.2', '10.6.5.3'],
  )
  assert.throws(give)
  assert.equal(ask('10.6.9.9'), '10.6.9.9')
})

test('an asked-for address is refused when taken, reserved or outside', () => {
  const { ask } = network('10.7.0.0/24')
  assert.equal(ask('10.7.0.9'), '10.7.0.9')
  assert.throws(() => ask('10.7.0.9'), { code: 'FORBIDDEN', message: 'Address already in use' })
  assert.throws(() => ask('10.7.0.1'), { message: 'Address already in use' })
  for (const text of ['10.7.1.1', '10.7.0.0', '10.7.0.255']) {
    assert.throws(() => ask(text), {
      code: 'INVALID_ARGUMENT',
      message: `Invalid address ${text}: It does not belong to any of this network's subnets`,
    })
  }
})

test('an address can be asked for only where the user named the subnet', () => {
  const { ask } = network('10.7.0.0/24', { isExplicit: false })
  assert.throws(
    () => ask('10.7.0.9'),
    /supported only when connecting to networks with user configured subnets/,
  )
})

test('IPv6 counts the same way', () => {
  const { give, ask } = network('fd00:1::/64')
  assert.deepEqual([give(), give()], ['fd00:1::2', 'fd00:1::3'])
  assert.equal(ask('fd00:1::ffff:ffff:ffff:ffff'), 'fd00:1::ffff:ffff:ffff:ffff')
})

test('the first default pool that nobody uses is chosen', () => {
  const chosen = (...taken: string[]): string =>
    formatAddress({ family: 4, value: chooseSubnet(taken.map(subnet)).address })
  assert.equal(chosen(), '172.17.0.0')
  assert.equal(chosen('172.17.4.0/24', '172.18.0.0/15'), '172.20.0.0')
  assert.equal(chosen('172.16.0.0/12'), '192.168.0.0')
  assert.equal(chosen('172.16.0.0/12', '192.168.1.0/24'), '192.168.16.0')
  assert.throws(
    () => chosen('0.0.0.0/1', '128.0.0.0/1'),
    /could not find an available, non-overlapping IPv4 address pool/,
  )
})

test('an automatic IPv6 subnet is a unique local one', () => {
  const { address, prefix } = chooseIpv6Subnet(Buffer.from('123456789a', 'hex'))
  assert.equal(`${formatAddress({ family: 6, value: address })}/${prefix}`, 'fd12:3456:789a::/64')
})

/** A network whose addresses are in memory. */
function network(
  text: string,
  o: {
    gateway?: string
    range?: string
    auxiliary?: string[]
    isExplicit?: boolean
    hints?: LowestFree
  } = {},
) {
  const whole = subnet(text)
  const pool: Pool = {
    subnet: whole,
    gateway: o.gateway === undefined ? whole.address + 1n : value(o.gateway),
    range: o.range === undefined ? whole : subnet(o.range),
    auxiliary: (o.auxiliary ?? []).map(value),
    isExplicit: o.isExplicit ?? true,
  }
  const taken = new Set<bigint>()
  const book: AddressBook = {
    get lowestFree() {
      return o.hints?.get('n', whole.family)
    },
    from: (_, first) =>
      [...taken].filter((entry) => entry >= first).sort((a, b) => (a < b ? -1 : 1)),
    isTaken: (_, entry) => taken.has(entry),
  }
  const keep = (entry: bigint): string => {
    taken.add(entry)
    return formatAddress({ family: whole.family, value: entry })
  }
  return {
    give: () => {
      const address = allocateAddress(pool, book, { name: 'n1', id: 'i1' })
      o.hints?.taken('n', whole.family, address)
      return keep(address)
    },
    ask: (wanted: string) => keep(requestAddress([pool], parsed(wanted), book)),
    take: (entry: string) => keep(value(entry)),
    takeBack: (entry: string) => {
      taken.delete(value(entry))
      o.hints?.returned('n', whole.family, value(entry))
    },
  }
}

function subnet(text: string): Subnet {
  const result = parseSubnet(text)
  assert.ok(result)
  return result
}

function parsed(text: string): Address {
  const result = parseAddress(text)
  assert.ok(result)
  return result
}

function value(text: string): bigint {
  return parsed(text).value
}
