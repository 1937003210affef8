import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addressBytes,
  contains,
  formatAddress,
  formatMac,
  formatSubnet,
  isLoopback,
  macOf,
  overlaps,
  parseAddress,
  parseInterfaceAddress,
  parseMac,
  parseSubnet,
} from './address.ts'

const valid = [
  ['0.0.0.0', '0.0.0.0', '00000000'],
  ['172.17.0.2', '172.17.0.2', 'ac110002'],
  ['255.255.255.255', '255.255.255.255', 'ffffffff'],
  ['::', '::', '0'.repeat(32)],
  ['::1', '::1', `${'0'.repeat(31)}1`],
  ['fd00:0:0:1::', 'fd00:0:0:1::', 'fd000000000000010000000000000000'],
  ['2001:DB8::8:800:200C:417A', '2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3', '00010000000000020000000000000003'],
  ['::ffff:1.2.3.4', '::ffff:102:304', '00000000000000000000ffff01020304'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
] as const

for (const [text, formatted, hex] of valid) {
  test(`address ${text} is parsed, formatted as ${formatted} and encoded`, () => {
    const address = parseAddress(text)
    assert.ok(address)
    assert.equal(formatAddress(address), formatted)
    assert.equal(addressBytes(address).toString('hex'), hex)
  })
}

for (const text of [
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  'fe80::1%eth0',
  '1::2::3',
  'host',
  '1.2.3.4/8',
]) {
  test(`"${text}" is no address`, () => assert.equal(parseAddress(text), undefined))
}

test('a subnet is given by any address in it', () => {
  const subnet = parseSubnet('10.72.3.9/23')
  assert.ok(subnet)
  assert.equal(formatSubnet(subnet), '10.72.2.0/23')
  assert.equal(parseInterfaceAddress('10.72.3.9/23')?.value, 0x0a480309n)
})

for (const text of [
  '',
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  'fd00::/129',
  '10.0.0.0/8/8',
  '/8',
  'x/8',
  '10.0.0.0/-1',
]) {
  test(`"${text}" is no subnet`, () => assert.equal(parseSubnet(text), undefined))
}

test('containment and overlap respect the edges and the family', () => {
  const subnet = mustSubnet('10.1.0.0/16')
  const inside = (text: string): boolean => contains(subnet, mustAddress(text))
  assert.deepEqual(
    ['10.1.0.0', '10.1.255.255', '10.2.0.0', '10.0.255.255', '::a01:0'].map(inside),
    [true, true, false, false, false],
  )
  assert.equal(overlaps(subnet, mustSubnet('10.0.0.0/8')), true)
  assert.equal(overlaps(subnet, mustSubnet('10.1.7.0/24')), true)
  assert.equal(overlaps(subnet, mustSubnet('10.2.0.0/16')), false)
  assert.equal(overlaps(mustSubnet('0.0.0.0/0'), mustSubnet('::/0')), false)
})

test('loopback is 127.0.0.0/8 and ::1', () => {
  const answers = ['127.0.0.53', '128.0.0.1', '::1', '::2'].map((text) =>
    isLoopback(mustAddress(text)),
  )
  assert.deepEqual(answers, [true, false, true, false])
})

test('the MAC address is derived from IPv4 as Docker does', () => {
  assert.equal(macOf(mustAddress('172.17.0.2').value), '02:42:ac:11:00:02')
})

test('a MAC address must be unicast and not zero', () => {
  const mac = parseMac('02-42-AC-11-00-02')
  assert.equal(mac && formatMac(mac), '02:42:ac:11:00:02')
  for (const text of [
    '',
    '02:42:ac:11:00',
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
    '02:42:ac:11:00:0g',
  ]) {
    assert.equal(parseMac(text), undefined, text)
  }
})

function mustSubnet(text: string): NonNullable<ReturnType<typeof parseSubnet>> {
  const subnet = parseSubnet(text)
  assert.ok(subnet)
  return subnet
}

function mustAddress(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(text)
  assert.ok(address)
  return address
}
