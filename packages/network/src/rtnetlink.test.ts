import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from './address.ts'
import {
  deleteLink,
  type NetlinkMessage,
  newAddress,
  newBridge,
  newRoute,
  newVeth,
  setLinkUp,
  vethLike,
} from './rtnetlink.ts'

const mac = Buffer.from('0242ac110002', 'hex')

/** Laid out by hand from the kernel's headers; test/bridge.test.ts asks the kernel. The sequence number is the shim's. */
const golden: [string, NetlinkMessage, string][] = [
  [
    'ip link set dev #2 up',
    setLinkUp({ index: 2 }),
    '20000000 1000 0500 00000000 00000000' + '00000000 02000000 01000000 01000000',
  ],
  [
    'ip addr replace 172.17.0.2/16 brd + dev #2',
    newAddress(2, address('172.17.0.2'), 16),
    '30000000 1400 0505 00000000 00000000' +
      '02100000 02000000 08000200 ac110002 08000100 ac110002 08000400 ac11ffff',
  ],
  [
    'ip route replace default via 172.17.0.1 dev #2',
    newRoute({ family: 4, gateway: address('172.17.0.1'), index: 2 }),
    '2c000000 1800 0505 00000000 00000000' +
      '02000000 fe030001 00000000 08000500 ac110001 08000400 02000000',
  ],
  [
    'ip link delete veth0',
    deleteLink({ name: 'veth0' }),
    '2c000000 1100 0500 00000000 00000000' +
      '00000000 00000000 00000000 00000000 0a000300 7665746830000000',
  ],
]

for (const [name, { message, pidOffset }, expected] of golden) {
  test(`message of: ${name}`, () => {
    assert.equal(message.toString('hex'), expected.replaceAll(' ', ''))
    assert.equal(pidOffset, 0)
  })
}

test('an IPv6 address skips duplicate detection and has no broadcast address', () => {
  const { message } = newAddress(3, address('fd00::2'), 64)
  assert.equal(message[18], 0x02) // IFA_F_NODAD
  assert.equal(message.length, 16 + 8 + 2 * 20)
})

test('a /31 and a /32 have no broadcast address', () => {
  assert.equal(newAddress(2, address('10.0.0.1'), 31).message.length, 16 + 8 + 2 * 8)
})

test('every message tells its own length and is padded to 4 bytes', () => {
  for (const name of ['a', 'ab', 'abc', 'abcd']) {
    const { message } = newBridge({ name, mac, mtu: 1400 })
    assert.equal(message.readUInt32LE(0), message.length)
    assert.equal(message.length % 4, 0)
  }
})

test('the pid of the peer goes into IFLA_NET_NS_PID', () => {
  const { message, pidOffset } = newVeth({
    host: { name: 'veth0', master: 7 },
    peer: { name: 'eth0', index: 2, mac },
    mtu: 1400,
  })
  assert.equal(pidOffset, message.length - 4)
  assert.equal(message.readUInt16LE(pidOffset - 4), 8)
  assert.equal(message.readUInt16LE(pidOffset - 2), 19) // IFLA_NET_NS_PID
})

test('nested attributes of a veth pair add up', () => {
  const { message } = newVeth({ host: { name: 'veth0', master: 7 }, peer: { name: 'eth0', mac } })
  const top = attributes(message.subarray(32))
  // IFLA_IFNAME, IFLA_MASTER, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES, IFLA_LINKINFO
  assert.deepEqual([...top.keys()], [3, 10, 31, 32, 18])
  const info = attributes(top.get(18))
  assert.equal(info.get(1)?.toString(), 'veth\0')
  const peer = attributes(info.get(2)).get(1)?.subarray(16)
  const ends = attributes(peer)
  assert.deepEqual([...ends.keys()], [3, 1, 31, 32, 19])
  for (const end of [top, ends]) {
    assert.deepEqual([end.get(31)?.readUInt32LE(), end.get(32)?.readUInt32LE()], [1, 1])
  }
})

test('a message like another is the one of its own name and address', () => {
  const peer = { name: 'eth0', index: 2 }
  for (const more of [{}, { mtu: 1400 }, { mtu: 1400, txQueueLength: 10 }]) {
    const pair = (name: string, address: Uint8Array): ReturnType<typeof newVeth> =>
      newVeth({ host: { name, master: 7 }, peer: { ...peer, mac: address }, ...more })
    const other = Buffer.from('0242ac11fffe', 'hex')
    const { message, pidOffset } = pair('veth9', other)
    assert.deepEqual(vethLike(pair('veth0', mac), 'veth9', other), { message, pidOffset })
  }
})

function attributes(bytes: Buffer | undefined): Map<number, Buffer> {
  assert.ok(bytes)
  const found = new Map<number, Buffer>()
  for (let offset = 0; offset < bytes.length; ) {
    const length = bytes.readUInt16LE(offset)
    assert.ok(length >= 4 && offset + length <= bytes.length)
    found.set(bytes.readUInt16LE(offset + 2) & 0x7fff, bytes.subarray(offset + 4, offset + length))
    offset += (length + 3) & ~3
  }
  return found
}

function address(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const parsed = parseAddress(text)
  assert.ok(parsed)
  return parsed
}
