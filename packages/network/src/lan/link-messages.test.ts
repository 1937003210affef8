import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newLanLink, newVlan } from './link-messages.ts'
import { parseLanMode } from './options.ts'
import { parseVlanName } from './parents.ts'

const link = { parent: 7, name: 'eth0', index: 2, mac: Buffer.from('0242ac110002', 'hex') }

test('a macvlan link has its mode, its parent, and ends with the place for the pid', () => {
  const mode = parseLanMode({ driver: 'macvlan', options: { macvlan_mode: 'vepa' } })
  const { message, pidOffset } = newLanLink({ mode, ...link, mtu: 1400 })
  const hex = message.toString('hex')
  assert.ok(hex.includes(`0800050007000000`), 'IFLA_LINK 7')
  assert.ok(hex.includes(`0800040078050000`), 'IFLA_MTU 1400')
  assert.ok(hex.includes(`0c000280` + `0800010002000000`), 'IFLA_MACVLAN_MODE 2 in IFLA_INFO_DATA')
  assert.equal(hex.slice(-16), '0800130000000000', 'IFLA_NET_NS_PID')
  assert.equal(pidOffset, message.length - 4)
})

test('an ipvlan link has mode and flag in 16 bits each, and no address of its own', () => {
  const options = { ipvlan_mode: 'l3s', ipvlan_flag: 'private' }
  const mode = parseLanMode({ driver: 'ipvlan', options })
  const hex = newLanLink({ mode, ...link, mac: undefined }).message.toString('hex')
  assert.ok(hex.includes('14000280' + '0600010002000000' + '0600020001000000'), hex)
  assert.ok(!hex.includes('0242ac110002'))
})

test('a link with a tag names its parent and the tag', () => {
  const hex = newVlan('eth0.10', { parent: 7, id: 10 }).message.toString('hex')
  assert.ok(hex.includes('0800050007000000'))
  assert.ok(hex.includes('0c000280' + '060001000a000000'), 'IFLA_VLAN_ID 10')
})

test('the last dot is before the tag', () => {
  assert.deepEqual(parseVlanName('eth0.10'), { parent: 'eth0', id: 10 })
  assert.deepEqual(parseVlanName('a.b.4094'), { parent: 'a.b', id: 4094 })
  for (const name of ['eth0', '.10', 'eth0.', 'eth0.x', 'eth0.0', 'eth0.4095', 'eth0.1e1']) {
    assert.throws(() => parseVlanName(name), { code: 'INVALID_ARGUMENT' }, name)
  }
})

test('modes and flags are those of dockerd, which has a default for each', () => {
  assert.deepEqual(parseLanMode({ driver: 'macvlan', options: {} }).mode, 'bridge')
  assert.deepEqual(parseLanMode({ driver: 'ipvlan', options: {} }), {
    driver: 'ipvlan',
    mode: 'l2',
    flag: 'bridge',
  })
  assert.throws(() => parseLanMode({ driver: 'ipvlan', options: { ipvlan_flag: 'x' } }), {
    message: "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
  })
})
