// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type Networks, parseSubnet } from '../src/index.ts'
import { ask, type Container, echoServer, isClosed, isInOwnNetns, run, Sandbox } from './sandbox.ts'

/** What the daemon's options decide: the default bridge, and all other networks. */
const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' }]

if (isInOwnNetns(import.meta.filename)) {
  describe('options of the daemon', { concurrency: false }, () => {
    test('range, way out, MTU, IPv6 and host address of the default bridge', async () => {
      await using sandbox = await Sandbox.open()
      const outside = await sandbox.startNeighbour()
      await using networks = await sandbox.openNetworks({
        name: 'ctr0',
        bip: '10.30.0.1/24',
        fixedCidr: '10.30.0.128/25',
        gateway: '10.30.0.9',
        mtu: 1400,
        hasIpv6: true,
        fixedCidrV6: 'fd00:77::/64',
        hostIp: '127.0.0.1',
      })
      const a = await start(sandbox, networks, A, echoServer(80, '0.0.0.0'))
      assert.match(a.run('ip -o -4 addr show dev eth0'), / 10\.30\.0\.128\/24 /)
      assert.match(a.run('ip -o -6 addr show dev eth0'), / fd00:77::2\/64 /)
      assert.match(a.run('ip -o link show dev eth0'), / mtu 1400 /)
      assert.match(a.run('ip route'), /^default via 10\.30\.0\.9 /)
      assert.equal(ask(undefined, 'tcp', '127.0.0.1', 8080), '10.30.0.1')
      assert.ok(isClosed(outside, '192.0.2.1', 8080), 'published on loopback only')
      await stop(networks, a)
    })

    test('without icc neighbours do not reach each other, and from the next start on they do', async () => {
      await using sandbox = await Sandbox.open()
      writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', '0')
      const closed = await sandbox.openNetworks({ name: 'ctr0', allowsInterContainer: false })
      const a = await start(sandbox, closed, A, echoServer(80, '0.0.0.0'))
      const b = await start(sandbox, closed, B)
      assert.ok(isClosed(b, '172.17.0.2', 80))
      assert.equal(ask(undefined, 'tcp', '127.0.0.1', 8080), '172.17.0.1', 'published all the same')
      await closed[Symbol.asyncDispose]()
      await using open = await sandbox.openNetworks()
      assert.equal(ask(b, 'tcp', '172.17.0.2', 80), '172.17.0.3', 'while they run')
      await stop(open, a)
      await stop(open, b)
    })

    test('without iptables there is no table, and a published port is a listener', async () => {
      await using sandbox = await Sandbox.open()
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '0')
      const outside = await sandbox.startNeighbour()
      const defaults = { hasFirewall: false, setsForwarding: false }
      await using networks = await sandbox.openNetworks({ name: 'ctr0' }, defaults)
      await networks.create({ name: 'n1' })
      const a = await start(sandbox, networks, A, echoServer(80, '0.0.0.0'))
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '172.17.0.1')
      assert.equal(run('nft list ruleset'), '')
      assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '0')
      await stop(networks, a)
      await networks.remove('n1')
      await networks.close()
    })

    test('address pools and driver options of networks that name none', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks(
        { name: 'ctr0' },
        {
          addressPools: [pool('10.99.0.0/25', 26), pool('fd00:99::/56', 64)],
          options: { bridge: { 'com.docker.network.driver.mtu': '1300' } },
        },
      )
      assert.equal(networks.get('bridge').pools[0]?.subnet, '10.99.0.0/26')
      const made = await networks.create({ name: 'n1', enableIpv6: true })
      assert.deepEqual(
        made.pools.map(({ subnet }) => subnet),
        ['10.99.0.64/26', 'fd00:99::/64'],
      )
      assert.match(run(`ip -o link show dev ${made.bridge}`), / mtu 1300 /)
      await assert.rejects(networks.create({ name: 'n2' }), /could not find an available/)
      const own = { name: 'n3', ipam: [{ subnet: '10.9.0.0/24' }] }
      const options = { 'com.docker.network.driver.mtu': '1200' }
      const third = await networks.create({ ...own, options })
      assert.match(run(`ip -o link show dev ${third.bridge}`), / mtu 1200 /)
    })
  })
}

async function start(
  sandbox: Sandbox,
  networks: Networks,
  containerId: string,
  command: readonly string[] = ['sleep', '600'],
): Promise<Container & { readonly id: string }> {
  const endpoint = await networks.connect({
    containerId,
    containerName: containerId.slice(0, 4),
    network: 'bridge',
    aliases: [],
    ports: containerId === A ? ports : [],
    index: 0,
  })
  return { ...(await sandbox.startContainer([endpoint], command)), id: containerId }
}

async function stop(networks: Networks, container: Container & { id: string }): Promise<void> {
  await container.stop()
  await networks.disconnect(container.id)
}

function pool(
  text: string,
  size: number,
): { base: NonNullable<ReturnType<typeof parseSubnet>>; size: number } {
  const base = parseSubnet(text)
  assert.ok(base)
  return { base, size }
}
