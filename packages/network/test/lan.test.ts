// needs: root, unshare(1), ip(8), nft(8), macvlan in the kernel
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { ConnectOptions, CreateNetworkOptions, Networks } from '../src/index.ts'
import { ask, type Container, echoServer, isClosed, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]
const ipam = [{ subnet: '192.0.2.0/24', gateway: '192.0.2.9', ipRange: '192.0.2.64/26' }]

if (isInOwnNetns(import.meta.filename)) {
  describe('a macvlan network', {
    concurrency: false,
    skip: missing('macvlan mode bridge'),
  }, () => {
    test('has its containers on the link that is its parent', async () => {
      await using sandbox = await Sandbox.open()
      const { networks, outside } = await openLan(sandbox)
      const network = await create(networks, { parent: 'out0' })
      assert.equal(network.bridge, undefined)
      const first = await connect(networks, A, { macAddress: '02:42:00:00:00:77' })
      assert.deepEqual([first.ipv4?.address, first.ipv4?.gateway], ['192.0.2.64', '192.0.2.9'])
      const a = await sandbox.startContainer([first], echoServer(80))
      const shown = a.run('ip -d link show eth0; ip route')
      assert.match(shown, /02:42:00:00:00:77/)
      assert.match(shown, /macvlan mode bridge/)
      assert.match(shown, /default via 192\.0\.2\.9 dev eth0/)
      // The machine on the link, and a container beside it; no port of the host, no address of it.
      assert.equal(ask(outside, 'tcp', '192.0.2.64', 80), '192.0.2.9')
      const b = await start(sandbox, networks, B, { requestedIp: '192.0.2.200' })
      assert.equal(ask(b, 'tcp', '192.0.2.64', 80), '192.0.2.200')
      assert.equal(run('ip -o link show type macvlan'), '')
      assert.deepEqual(first.ports, [])
    })

    test('publishes no ports', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      await create(networks, { parent: 'out0' })
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' }]
      const endpoint = await connect(networks, A, { ports })
      assert.deepEqual([endpoint.ports, endpoint.forwards], [[], []])
      // But a bridge that the container is connected to as its way out does.
      await networks.create({ name: 'br', ipam: [{ subnet: '10.71.0.0/24' }] })
      const a = await sandbox.startContainer([endpoint], echoServer(80))
      const way = { network: 'br', index: 1, ports, gatewayPriority: 1 }
      await networks.connectRunning({ ...of(A), ...way }, a.target)
      assert.equal(ask(undefined, 'tcp', '127.0.0.1', 8080), '10.71.0.1')
      assert.match(a.run('ip route show default'), /via 10\.71\.0\.1/)
      await networks.disconnectRunning(A, 'br', a.target, { ports })
      assert.ok(isClosed(undefined, '127.0.0.1', 8080))
      assert.match(a.run('ip route show default'), /via 192\.0\.2\.9/)
    })

    test('is joined and left by a container that runs', async () => {
      await using sandbox = await Sandbox.open()
      const { networks, outside } = await openLan(sandbox)
      await create(networks, { parent: 'out0' })
      await networks.create({ name: 'br', ipam: [{ subnet: '10.71.0.0/24' }] })
      const endpoint = await connect(networks, A, { network: 'br' })
      const a = await sandbox.startContainer([endpoint], echoServer(80))
      for (const _round of [1, 2]) {
        const joined = await networks.connectRunning({ ...of(A), network: 'n', index: 1 }, a.target)
        assert.equal(ask(outside, 'tcp', joined.ipv4?.address ?? '', 80), '192.0.2.9')
        await networks.disconnectRunning(A, 'n', a.target)
        assert.doesNotMatch(a.run('ip link'), /eth1/)
      }
      assert.match(a.run('ip route show default'), /via 10\.71\.0\.1/)
    })

    test('that is internal, or names no parent, has no way out', async () => {
      await using sandbox = await Sandbox.open()
      const { networks, outside } = await openLan(sandbox)
      const lonely = await create(
        networks,
        {},
        { name: 'lonely', ipam: [{ subnet: '10.72.0.0/24' }] },
      )
      await create(networks, { parent: 'out0' }, { isInternal: true })
      const link = `dm-${lonely.id.slice(0, 12)}`
      assert.ok(existsSync(`/sys/class/net/${link}`))
      const a = await start(sandbox, networks, A, { network: 'lonely' })
      const b = await start(sandbox, networks, B, { network: 'lonely' })
      assert.equal(ask(b, 'tcp', '10.72.0.1', 80), '10.72.0.2')
      assert.equal(a.run('ip route show default'), '')
      const c = await start(sandbox, networks, 'c'.repeat(64), {})
      assert.equal(c.run('ip route show default'), '')
      assert.equal(ask(outside, 'tcp', '192.0.2.64', 80), '192.0.2.9')
      for (const id of [A, B]) await networks.disconnect(id)
      await networks.remove('lonely')
      assert.ok(!existsSync(`/sys/class/net/${link}`))
      assert.ok(existsSync('/sys/class/net/out0'))
    })

    test('has its parent again after a reboot, and leaves none behind a daemon that ends', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      const { id } = await create(networks, {}, { ipam: [{ subnet: '10.72.0.0/24' }] })
      const link = `dm-${id.slice(0, 12)}`
      run(`ip link delete ${link}`)
      const again = await sandbox.openNetworks()
      assert.ok(existsSync(`/sys/class/net/${link}`))
      // Killed between the two steps: it is down, and nobody's.
      run(`ip link set ${link} down; ip link set ${link} alias ''`)
      const third = await sandbox.openNetworks()
      assert.match(run(`ip link show ${link}`), /alias ctr test/)
      await third.close()
      assert.ok(!existsSync(`/sys/class/net/${link}`))
      await again[Symbol.asyncDispose]()
    })

    test('goes on while no daemon runs, and is the same for the next one', async () => {
      await using sandbox = await Sandbox.open()
      const { networks, outside } = await openLan(sandbox)
      await create(networks, { parent: 'out0' })
      await start(sandbox, networks, A, {})
      await networks[Symbol.asyncDispose]()
      assert.equal(ask(outside, 'tcp', '192.0.2.64', 80), '192.0.2.9')
      const again = await sandbox.openNetworks()
      await again.reconcile(new Set([A]))
      assert.equal(again.endpointsOfContainer(A)[0]?.ipv4?.address, '192.0.2.64')
      await start(sandbox, again, B, {})
      assert.equal(ask(outside, 'tcp', '192.0.2.65', 80), '192.0.2.9')
    })

    const refused: [string, Record<string, string>, RegExp][] = [
      [
        'no parent of that name',
        { parent: 'nope' },
        /^invalid subinterface vlan name nope, example/,
      ],
      ['no parent of a tag', { parent: 'nope.10' }, /interface was not found on the host: nope$/],
      ['no tag', { parent: 'out0.x' }, /^unable to parse a valid vlan id from: x \(ex\. eth0\.10/],
      [
        'a tag too high',
        { parent: 'out0.4095' },
        /^vlan id must be between 1-4094, received: 4095$/,
      ],
      ['loopback', { parent: 'lo' }, /^loopback interface is not a valid macvlan parent link$/],
      ['a path', { parent: '../x' }, /is no name of a link/],
      [
        'an unknown mode',
        { parent: 'out0', macvlan_mode: 'x' },
        /^requested macvlan mode 'x' is not/,
      ],
    ]
    test('is refused with dockerd’s words', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      for (const [, options, message] of refused) {
        await assert.rejects(create(networks, options), { message })
      }
      const { id } = await create(networks, { parent: 'out0' })
      const second = { name: 'second', ipam: [{ subnet: '10.73.0.0/24' }] }
      await assert.rejects(create(networks, { parent: 'out0', macvlan_mode: 'passthru' }, second), {
        message: `cannot use mode passthru, macvlan network ${id} is already using parent interface out0`,
      })
      await assert.rejects(
        networks.create({ ...second, driver: 'ipvlan', options: { parent: 'out0' } }),
        {
          message: `network dm-${id.slice(0, 12)} is already using parent interface out0`,
        },
      )
      await create(networks, { parent: 'out0', macvlan_mode: 'private' }, second)
      assert.deepEqual(
        networks
          .list()
          .flatMap(({ name, driver }) => (driver === 'macvlan' ? name : []))
          .toSorted(),
        ['n', 'second'],
      )
    })

    test('tells why a link cannot be made', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      await create(networks, { parent: 'out0', macvlan_mode: 'passthru' })
      await networks.create({ name: 'br', ipam: [{ subnet: '10.71.0.0/24' }] })
      await start(sandbox, networks, A, {})
      const b = await start(sandbox, networks, B, { network: 'br' })
      // One link is all that a parent has in this mode.
      await assert.rejects(networks.connectRunning({ ...of(B), index: 1 }, b.target), {
        message: 'failed to create the macvlan port: invalid argument',
      })
      assert.deepEqual(
        networks.endpointsOfContainer(B).map(({ networkName }) => networkName),
        ['br'],
      )
    })

    test('may be made while its parent is down, and not be used', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      run('ip link set out0 down')
      await create(networks, { parent: 'out0' })
      await assert.rejects(connect(networks, A, {}), {
        code: 'UNAVAILABLE',
        message: 'parent interface out0 of n is down',
      })
      assert.deepEqual(networks.endpointsOfContainer(A), [])
      run('ip link set out0 up')
      await start(sandbox, networks, A, {})
    })

    test('may have several subnets; a container asks for an address of any', async () => {
      await using sandbox = await Sandbox.open()
      const { networks } = await openLan(sandbox)
      await create(
        networks,
        { parent: 'out0' },
        { ipam: [...ipam, { subnet: '10.74.0.0/24', gateway: '10.74.0.7' }] },
      )
      const { ipv4 } = await connect(networks, A, { requestedIp: '10.74.0.5' })
      assert.deepEqual(ipv4, { address: '10.74.0.5', prefix: 24, gateway: '10.74.0.7' })
    })
  })

  test('a sub-interface with a tag is made, and goes with the last network on it', {
    skip: missing('vlan id 9'),
  }, async () => {
    await using sandbox = await Sandbox.open()
    const { networks } = await openLan(sandbox)
    await create(networks, { parent: 'out0.10' })
    await create(networks, { parent: 'out0.10' }, { name: 'm', ipam: [{ subnet: '10.73.0.0/24' }] })
    assert.match(run('ip -d link show out0.10'), /vlan protocol 802\.1Q id 10/)
    await networks.remove('n')
    run('ip link show out0.10')
    await networks.remove('m')
    assert.throws(() => run('ip link show out0.10'))
  })

  test('an ipvlan network has its containers on its parent', {
    skip: missing('ipvlan mode l2'),
  }, async () => {
    await using sandbox = await Sandbox.open()
    const { networks, outside } = await openLan(sandbox)
    await networks.create({ name: 'n', driver: 'ipvlan', ipam, options: { parent: 'out0' } })
    await assert.rejects(
      connect(networks, B, { macAddress: '02:42:00:00:00:77' }),
      /do not support custom mac/,
    )
    await start(sandbox, networks, A, {})
    assert.equal(ask(outside, 'tcp', '192.0.2.64', 80), '192.0.2.9')
  })
}

function of(id: string): ConnectOptions {
  const names = { containerId: id, containerName: id.slice(0, 1), aliases: [] }
  return { ...names, network: 'n', index: 0, ports: [] }
}

async function openLan(sandbox: Sandbox): Promise<{ networks: Networks; outside: Container }> {
  const outside = await sandbox.startNeighbour()
  return { networks: await sandbox.openNetworks(), outside }
}

async function create(
  networks: Networks,
  options: Record<string, string>,
  o: Partial<CreateNetworkOptions> = {},
) {
  return await networks.create({ name: 'n', driver: 'macvlan', ipam, options, ...o })
}

async function connect(networks: Networks, id: string, o: Partial<ConnectOptions>) {
  return await networks.connect({ ...of(id), ...o })
}

async function start(
  sandbox: Sandbox,
  networks: Networks,
  id: string,
  o: Partial<ConnectOptions>,
): Promise<Container> {
  return await sandbox.startContainer([await connect(networks, id, o)], echoServer(80))
}

/** The reason to skip: a kernel that has no such links. */
function missing(kind: string): string | false {
  try {
    run(`ip link add tst0 type veth peer name tst1
      ip link add link tst0 name tst2 type ${kind} || { ip link delete tst0; exit 1; }
      ip link delete tst0`)
    return false
  } catch {
    return `needs links of type ${kind} in the kernel`
  }
}
