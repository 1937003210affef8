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
