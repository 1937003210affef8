import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLinkOptions } from './link-options.ts'

test('without options a link is the kernel’s', () => {
  assert.deepEqual(parseLinkOptions({ 'com.docker.network.bridge.name': 'x' }), {
    mtu: undefined,
    txQueueLength: undefined,
    isHairpin: false,
    routes: [],
    interfaceName: undefined,
    interfacePrefix: 'eth',
    hostName: undefined,
    sysctls: [],
  })
})

const REFUSED: readonly [string, string][] = [
  ['com.docker.network.driver.mtu', '67'],
  ['com.docker.network.driver.mtu', '9e9'],
  ['ctr.txqueuelen', '-1'],
  ['ctr.txqueuelen', '1000001'],
  ['ctr.hairpin', 'yes'],
  ['ctr.routes', '10.9.0.0/16'],
  ['ctr.routes', '10.9.0.0/16 via fd00::1'],
  ['ctr.routes', '10.9.0.0/33 via 10.9.0.1'],
  ['ctr.routes', '10.9.0.0/16 via 10.9.0.1 dev eth0'],
  ['ctr.host_ifname', ''],
  ['ctr.host_ifname', 'lo'],
  ['ctr.host_ifname', 'a/b'],
  ['ctr.host_ifname', 'x'.repeat(16)],
  ['com.docker.network.endpoint.ifname', '../x'],
  ['com.docker.network.container_iface_prefix', 'x'.repeat(13)],
]

for (const [key, value] of REFUSED) {
  test(`${key}=${value} is refused, by its name`, () => {
    assert.throws(
      () => parseLinkOptions({ [key]: value }),
      (error: Error) => error.message.includes(key),
    )
  })
}

test('sysctls are of one interface, by a name that stands for it', () => {
  const parse = (text: string) =>
    parseLinkOptions({ 'com.docker.network.endpoint.sysctls': text }).sysctls
  assert.deepEqual(parse('net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.accept_ra=0'), [
    { key: 'net.ipv4.conf.IFNAME.log_martians', value: '1' },
    { key: 'net.ipv6.conf.IFNAME.accept_ra', value: '0' },
  ])
  for (const text of [
    'net.ipv4.conf.eth0.log_martians=1',
    'net.ipv4.conf.all.IFNAME=1',
    'kernel.IFNAME.x=1',
    'net.ipv4.conf.IFNAME.x',
    'net.ipv4.conf.IFNAME.../x=1',
  ]) {
    assert.throws(() => parse(text), { message: /^unrecognised network interface sysctl '/ })
  }
})
