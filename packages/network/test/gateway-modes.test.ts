// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Networks } from '../src/index.ts'
import { ask, type Container, echoServer, isClosed, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const IPV4_MODE = 'com.docker.network.bridge.gateway_mode_ipv4'
const IPV6_MODE = 'com.docker.network.bridge.gateway_mode_ipv6'
const TRUSTED = 'com.docker.network.bridge.trusted_host_interfaces'
const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]
const [SUBNET, ADDRESS, ADDRESS6] = ['10.71.0.0/24', '10.71.0.2', 'fd00:71::2']
const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' }]

if (isInOwnNetns(import.meta.filename)) {
  describe('a network with gateway mode', { concurrency: false }, () => {
    test('routed is reached at the containers’ own addresses, where ports are published', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await create(networks, { [IPV4_MODE]: 'routed' })
      await networks.create({ name: 'other', ipam: [{ subnet: '10.72.0.0/24' }] })
      const endpoint = await networks.connect({ ...of(A), ports })
      assert.deepEqual(
        endpoint.ports.map(({ hostIp, hostPort }) => [hostIp, hostPort]),
        [['0.0.0.0', 0]],
      )
      assert.deepEqual(endpoint.forwards, [])
      await sandbox.startContainer([endpoint], echoServer(80))
      const outside = await startRouted(sandbox)
      assert.equal(ask(outside, 'tcp', ADDRESS, 80), '192.0.2.9')
      assert.ok(isClosed(outside, '192.0.2.1', 8080), 'no port of the host')
      outside.run(`busybox ping -c 1 -W 10 ${ADDRESS}`)
      // Another bridge reaches what is published, and nothing else.
      const second = await networks.connect({ ...of(B), network: 'other' })
      const neighbour = await sandbox.startContainer([second], echoServer(80))
      assert.equal(ask(neighbour, 'tcp', ADDRESS, 80), '10.71.0.1')
      await networks.disconnect(A)
      assert.ok(isClosed(outside, ADDRESS, 80), 'not published any more')
      // Two containers may publish the same port.
      for (const name of ['c', 'd']) await networks.connect({ ...of(name.repeat(64)), ports })
    })

    test('routed lets nobody at a port that is not published, and hides no address', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await create(networks, { [IPV4_MODE]: 'routed' })
      const endpoint = await networks.connect({ ...of(A), ports: [] })
      const a = await sandbox.startContainer([endpoint], echoServer(80))
      const outside = await startRouted(sandbox, echoServer(81))
      assert.ok(isClosed(outside, ADDRESS, 80))
      assert.equal(ask(a, 'tcp', '192.0.2.9', 81), ADDRESS)
    })

    test('routed for IPv6 and nat for IPv4 publishes each in its own way', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await create(networks, { [IPV6_MODE]: 'routed' }, true)
      const endpoint = await networks.connect({ ...of(A), ports })
      assert.deepEqual(
        endpoint.ports.map(({ hostIp, hostPort }) => [hostIp, hostPort]),
        [
          ['0.0.0.0', 8080],
          ['::', 0],
        ],
      )
      await sandbox.startContainer([endpoint], echoServer(80))
      const outside = await startRouted(sandbox)
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      assert.ok(isClosed(outside, ADDRESS, 80))
      assert.equal(ask(outside, 'tcp', ADDRESS6, 80), 'fd00:2::9')
    })

    test('nat-unprotected is open, and nat is not', async () => {
      for (const mode of ['nat', 'nat-unprotected']) {
        await using sandbox = await Sandbox.open()
        const networks = await sandbox.openNetworks()
        await create(networks, { [IPV4_MODE]: mode })
        const endpoint = await networks.connect({ ...of(A), ports: [] })
        const a = await sandbox.startContainer([endpoint], echoServer(80))
        const outside = await startRouted(sandbox, echoServer(81))
        if (mode === 'nat') assert.ok(isClosed(outside, ADDRESS, 80))
        else assert.equal(ask(outside, 'tcp', ADDRESS, 80), '192.0.2.9')
        assert.equal(ask(a, 'tcp', '192.0.2.9', 81), '192.0.2.1')
      }
    })

    test('isolated has no address on the bridge', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const modes = { [IPV4_MODE]: 'isolated', [IPV6_MODE]: 'isolated' }
      const network = await create(networks, modes, true, true)
      assert.deepEqual(
        network.pools.map(({ gateway }) => gateway),
        ['', ''],
      )
      assert.equal(run(`ip -o addr show dev ${network.bridge} scope global`), '')
      const first = await networks.connect({ ...of(A), ports })
      // The first address is nobody's.
      assert.deepEqual([first.ipv4?.address, first.ipv4?.gateway], ['10.71.0.1', ''])
      const a = await sandbox.startContainer([first], echoServer(80))
      const second = await networks.connect({ ...of(B), ports: [] })
      const b = await sandbox.startContainer([second], ['sleep', '600'])
      assert.equal(ask(b, 'tcp', '10.71.0.1', 80), '10.71.0.2')
      assert.equal(a.run('ip route show default'), '')
    })

    test('nat lets the trusted links of the host at published ports', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await create(networks, { [TRUSTED]: 'out0:out7' })
      const endpoint = await networks.connect({ ...of(A), ports })
      await sandbox.startContainer([endpoint], echoServer(80))
      const outside = await startRouted(sandbox)
      assert.equal(ask(outside, 'tcp', ADDRESS, 80), '192.0.2.9')
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      await networks.disconnect(A)
      assert.ok(isClosed(outside, ADDRESS, 80))
    })

    test('that ports move to makes them what it has', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await create(networks, { [IPV4_MODE]: 'routed' })
      await networks.create({ name: 'nat', ipam: [{ subnet: '10.72.0.0/24' }] })
      const endpoint = await networks.connect({ ...of(A), network: 'nat', ports })
      const a = await sandbox.startContainer([endpoint], echoServer(80))
      const outside = await startRouted(sandbox)
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      await networks.connectRunning({ ...of(A), ports, index: 1, gatewayPriority: 1 }, a.target)
      assert.equal(ask(outside, 'tcp', ADDRESS, 80), '192.0.2.9')
      assert.ok(isClosed(outside, '192.0.2.1', 8080))
      assert.ok(isClosed(undefined, '127.0.0.1', 8080))
      await networks.disconnectRunning(A, 'n', a.target, { ports })
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      assert.ok(isClosed(outside, ADDRESS, 80))
    })
  })
}

const of = (id: string) => ({
  containerId: id,
  containerName: id.slice(0, 1),
  aliases: [],
  network: 'n',
  index: 0,
  ports: [],
})

async function create(
  networks: Networks,
  options: Record<string, string>,
  hasIpv6 = false,
  isInternal = false,
) {
  const ipam = [{ subnet: SUBNET }, ...(hasIpv6 ? [{ subnet: 'fd00:71::/64' }] : [])]
  return await networks.create({ name: 'n', ipam, options, isInternal, enableIpv6: hasIpv6 })
}

/** A machine outside that has a route to the containers. */
async function startRouted(sandbox: Sandbox, command?: readonly string[]): Promise<Container> {
  const outside = await sandbox.startNeighbour(command)
  outside.run(`ip route add ${SUBNET} via 192.0.2.1; ip -6 route add fd00:71::/64 via fd00:2::1`)
  return outside
}
