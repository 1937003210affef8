// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Networks } from '../src/index.ts'
import { ask, type Container, echoServer, isClosed, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const base = { aliases: [], ports: [], index: 0 }

if (isInOwnNetns(import.meta.filename)) {
  describe('user-defined networks', { concurrency: false }, () => {
    test('a network is a bridge with the gateway on it, in the list, and gone after removal', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const made = await networks.create({
        name: 'nb',
        ipam: [{ subnet: '10.72.0.0/24' }],
        labels: { a: 'b' },
      })
      const link = made.bridge ?? ''
      assert.match(run(`ip -o -4 addr show dev ${link}`), / 10\.72\.0\.1\/24 /)
      assert.match(
        run('nft list ruleset'),
        new RegExp(`ip saddr 10\\.72\\.0\\.0/24 oifname != "${link}" masquerade`),
      )
      assert.deepEqual(
        networks
          .list()
          .map((network) => network.name)
          .sort(),
        ['bridge', 'host', 'nb', 'none'],
      )
      assert.equal(networks.get(made.id.slice(0, 8)).name, 'nb')
      await networks.remove('nb')
      assert.doesNotMatch(run('ip -br link'), new RegExp(link))
      assert.doesNotMatch(run('nft list ruleset'), /10\.72/)
      await assert.rejects(networks.remove('nb'), {
        code: 'NOT_FOUND',
        message: 'network nb not found',
      })
      await networks.close()
    })

    test('a network that is being made, or removed by two at once, is gone for good', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      for (const remove of [() => networks.remove('nb'), () => networks.prune(() => true)]) {
        const made = networks.create({ name: 'nb' })
        while (networks.find('nb') === undefined) await Promise.resolve()
        await Promise.all([made, remove()])
        assert.equal(networks.find('nb'), undefined)
      }
      await networks.create({ name: 'one' })
      await networks.create({ name: 'two' })
      const pruned = networks.prune(() => true)
      await networks.remove('two')
      assert.deepEqual(
        (await pruned).map(({ name }) => name),
        ['one'],
      )
      assert.deepEqual(
        networks.list().map(({ name }) => name),
        ['bridge', 'host', 'none'],
      )
      await networks.close()
    })

    test('a name and a bridge can be taken again while their network is being removed', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const asked = { name: 'nb', options: { 'com.docker.network.bridge.name': 'again0' } }
      const first = await networks.create(asked)
      const [, second] = await Promise.all([networks.remove('nb'), networks.create(asked)])
      assert.notEqual(second.id, first.id)
      assert.match(run('ip -o -4 addr show dev again0'), / inet /)
      const [, third] = await Promise.all([
        networks.prune(() => true),
        networks.create({ ...asked, name: 'other' }),
      ])
      assert.equal(networks.get('other').id, third.id)
      await networks.remove('other')
      assert.doesNotMatch(run('ip -br link'), /again0/)
      await networks.close()
    })

    test('a network with a container on it is not removed, nor a predefined one', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'nb' })
      await networks.connect({ ...base, containerId: A, containerName: 'c1', network: 'nb' })
      await assert.rejects(networks.remove('nb'), {
        code: 'FORBIDDEN',
        message:
          /^error while removing network: network nb has active endpoints \(name:"c1" id:"[0-9a-f]{12}"\)$/,
      })
      assert.deepEqual(await networks.prune(() => true), [])
      await assert.rejects(networks.remove('host'), {
        message: 'host is a pre-defined network and cannot be removed',
      })
      await networks.disconnect(A)
      assert.deepEqual(
        (await networks.prune(() => true)).map((network) => network.name),
        ['nb'],
      )
      await networks.close()
    })

    test('addresses are reused lowest first, asked for by --ip, and exhausted with a clear text', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const { id } = await networks.create({ name: 'tiny', ipam: [{ subnet: '10.78.0.0/30' }] })
      const connect = (containerId: string, requestedIp?: string) =>
        networks.connect({
          ...base,
          containerId,
          containerName: containerId.slice(0, 2),
          network: 'tiny',
          requestedIp,
        })
      assert.equal((await connect(A)).ipv4?.address, '10.78.0.2')
      await assert.rejects(connect(B), {
        message: `no available IPv4 addresses on this network's address pools: tiny (${id})`,
      })
      await assert.rejects(connect(B, '10.78.0.2'), { message: 'Address already in use' })
      await assert.rejects(connect(A), {
        message: 'endpoint with name aa already exists in network tiny',
      })
      await networks.disconnect(A)
      assert.equal((await connect(B, '10.78.0.2')).ipv4?.address, '10.78.0.2')
      await networks.disconnect(B)
      await networks.close()
    })

    test('an internal network has neighbours but no way out', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'inner', isInternal: true })
      const outside = await sandbox.startNeighbour()
      const a = await start(sandbox, networks, A, 'inner', echoServer(80))
      const b = await start(sandbox, networks, B, 'inner')
      assert.doesNotMatch(b.run('ip route'), /default/)
      assert.equal(ask(b, 'tcp', addressOf(networks, A), 80), addressOf(networks, B))
      b.run(`ip route add default via ${networks.get('inner').pools[0]?.gateway}`)
      assert.throws(() => b.run('busybox ping -c1 -W1 192.0.2.9'))
      outside.run(`ip route add ${networks.get('inner').pools[0]?.subnet} via 192.0.2.1`)
      assert.ok(isClosed(outside, addressOf(networks, A), 80))
      await a.stop()
      await b.stop()
    })

    test('without inter-container communication neighbours do not reach each other', async () => {
      await using sandbox = await Sandbox.open()
      run('sysctl -qw net.bridge.bridge-nf-call-iptables=0')
      const networks = await sandbox.openNetworks()
      await networks.create({
        name: 'quiet',
        options: { 'com.docker.network.bridge.enable_icc': 'false' },
      })
      await start(sandbox, networks, A, 'quiet', echoServer(80))
      const b = await start(sandbox, networks, B, 'quiet')
      const gateway = networks.get('quiet').pools[0]?.gateway
      assert.equal(ask(undefined, 'tcp', addressOf(networks, A), 80), gateway)
      assert.ok(isClosed(b, addressOf(networks, A), 80))
    })

    test('a bridge that is there already is used and left, one of another ctrd is refused', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      run(
        'ip link add mine0 type bridge; ip link add theirs0 type bridge; ip link set theirs0 alias "ctr x"',
      )
      const create = (name: string) =>
        networks.create({ name, options: { 'com.docker.network.bridge.name': name } })
      await create('mine0')
      const a = await start(sandbox, networks, A, 'mine0')
      a.run(`busybox ping -c1 -W2 ${networks.get('mine0').pools[0]?.gateway}`)
      await a.stop()
      await networks.disconnect(A)
      await networks.remove('mine0')
      assert.match(run('ip -br link'), /mine0/)
      await assert.rejects(create('theirs0'), {
        code: 'FORBIDDEN',
        message: /^link theirs0 exists/,
      })
      await assert.rejects(create('lo'), { code: 'FORBIDDEN' })
    })

    test('name, MTU and MAC are as asked for', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const options = {
        'com.docker.network.bridge.name': 'mybr0',
        'com.docker.network.driver.mtu': '1400',
      }
      await networks.create({ name: 'm1', options })
      const endpoint = await networks.connect({
        ...base,
        containerId: A,
        containerName: 'a',
        network: 'm1',
        macAddress: '02:00:00:00:00:07',
      })
      const a = await sandbox.startContainer([endpoint], ['sleep', '600'])
      assert.match(a.run('ip -o link show eth0'), /mtu 1400 .*link\/ether 02:00:00:00:00:07/)
      assert.match(run('ip -o link show mybr0'), /mtu 1400/)
    })

    test('queue length, hairpin, static routes and names of both ends are as asked for', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const options = {
        'ctr.txqueuelen': '77',
        'ctr.routes': '10.9.0.0/16 via 10.72.0.1; 10.10.1.0/24 via 10.72.0.9',
        'com.docker.network.container_iface_prefix': 'net',
      }
      await networks.create({ name: 'nb', ipam: [{ subnet: '10.72.0.0/24' }], options })
      const connect = (container: string, driverOptions: Record<string, string>) =>
        networks.connect({
          ...base,
          containerId: container,
          containerName: container.slice(0, 4),
          network: 'nb',
          driverOptions,
        })
      const a = await sandbox.startContainer([await connect(A, {})], ['sleep', '600'])
      assert.match(a.run('ip -o link show net0'), / qlen 77/)
      const routes = a.run('ip route').replaceAll(' dev net0', '')
      assert.match(routes, /^10\.9\.0\.0\/16 via 10\.72\.0\.1/m)
      assert.match(routes, /^10\.10\.1\.0\/24 via 10\.72\.0\.9/m)

      const own = {
        'com.docker.network.endpoint.ifname': 'inside',
        'ctr.host_ifname': 'outside7',
        'ctr.hairpin': 'true',
        'ctr.routes': '',
      }
      const b = await sandbox.startContainer([await connect(B, own)], ['sleep', '600'])
      assert.match(b.run('ip -o link show inside'), / qlen 77/)
      assert.doesNotMatch(b.run('ip route'), /10\.9\.0\.0/)
      assert.equal(run('cat /sys/class/net/outside7/brport/hairpin_mode').trim(), '1')
      const others = run('grep -l 1 /sys/class/net/*/brport/hairpin_mode')
      assert.equal(others.trim(), '/sys/class/net/outside7/brport/hairpin_mode')

      const C = 'c'.repeat(64)
      await assert.rejects(connect(C, { 'ctr.routes': '10.9.0.0/16 via 10.8.0.1' }), {
        code: 'INVALID_ARGUMENT',
        message: /a gateway is outside the network's subnets/,
      })
      await assert.rejects(connect(C, { 'ctr.host_ifname': 'outside7' }), {
        code: 'CONFLICT',
        message: /outside7/,
      })
      assert.deepEqual(networks.endpointsOfContainer(C), [])
    })

    test('IPv6: address, route, way out, and a published port that keeps the source', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'six', ipam: [{ subnet: 'fd00:7::/64' }] })
      const outside = await sandbox.startNeighbour()
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '::', hostPort: '8080' }]
      const endpoint = await networks.connect({
        ...base,
        containerId: A,
        containerName: 'a',
        network: 'six',
        ports,
      })
      const a = await sandbox.startContainer([endpoint], echoServer(80))
      assert.match(a.run('ip -6 -o addr show dev eth0'), /fd00:7::2\/64/)
      assert.match(a.run('ip -6 route'), /default via fd00:7::1 dev eth0/)
      a.run('busybox ping -6 -c1 -W2 fd00:2::9')
      assert.equal(ask(outside, 'tcp', 'fd00:2::1', 8080), 'fd00:2::9')
    })

    test('a running container is connected and disconnected; the first network by name is the way out', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      for (const name of ['zzz', 'aaa']) await networks.create({ name })
      await networks.create({ name: 'inner', isInternal: true })
      const a = await start(sandbox, networks, A, 'zzz')
      const join = (network: string, index: number) =>
        networks.connectRunning(
          { ...base, containerId: A, containerName: 'a', network, index },
          a.target,
        )
      const gatewayOf = (name: string): string => networks.get(name).pools[0]?.gateway ?? ''
      const wayOut = (): string | undefined => /default via (\S+)/.exec(a.run('ip route'))?.[1]
      assert.equal(wayOut(), gatewayOf('zzz'))
      await join('aaa', 1)
      await join('inner', 2)
      assert.equal(a.run('ip -o -4 addr').trim().split('\n').length, 4)
      assert.equal(wayOut(), gatewayOf('aaa'))
      a.run(`busybox ping -c1 -W2 ${gatewayOf('inner')}`)
      await assert.rejects(join('aaa', 3), {
        message: 'endpoint with name a already exists in network aaa',
      })
      await networks.disconnectRunning(A, 'aaa', a.target)
      assert.equal(wayOut(), gatewayOf('zzz'))
      assert.equal(a.run('ip -o -4 addr').trim().split('\n').length, 3)
      await networks.disconnectRunning(A, 'zzz', a.target)
      assert.equal(wayOut(), undefined)
      const gone = networks.disconnectRunning(A, 'zzz', a.target)
      await assert.rejects(gone, { message: `container ${A} is not connected to network zzz` })
      await a.stop()
      await networks.disconnect(A)
    })

    test('connecting a container that has died fails and allocates nothing', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'nb' })
      const a = await start(sandbox, networks, A, 'bridge')
      await a.stop()
      await networks.disconnect(A)
      await assert.rejects(
        networks.connectRunning(
          { ...base, containerId: A, containerName: 'a', network: 'nb' },
          a.target,
        ),
      )
      assert.deepEqual(networks.endpointsOfNetwork('nb'), [])
    })

    test('networks come back after a reboot and are told apart from those of others', async () => {
      await using sandbox = await Sandbox.open()
      const before = await sandbox.openNetworks()
      const { bridge } = await before.create({ name: 'nb', ipam: [{ subnet: '10.72.0.0/24' }] })
      await before[Symbol.asyncDispose]()
      run(`nft flush ruleset; ip link delete ${bridge}; ip link delete ctr0`)
      const after = await sandbox.openNetworks()
      assert.match(run(`ip -o -4 addr show dev ${bridge}`), / 10\.72\.0\.1\/24 /)
      assert.equal(run(`cat /sys/class/net/${bridge}/ifalias`).trim(), 'ctr test')
      await after.close()
    })

    test('the networks host and none need nothing but lo', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const none = await networks.connect({
        ...base,
        containerId: A,
        containerName: 'a',
        network: 'none',
      })
      const host = await networks.connect({
        ...base,
        containerId: B,
        containerName: 'b',
        network: 'host',
      })
      assert.deepEqual([none.hostOps, none.childOps.length, none.forwards], [[], 1, []])
      assert.deepEqual([host.hostOps, host.childOps, host.forwards], [[], [], []])
      const a = await sandbox.startContainer([none], ['sleep', '600'])
      assert.match(a.run('ip -br addr'), /^lo\s+UNKNOWN\s+127\.0\.0\.1\/8 ::1\/128\s*$/)
    })
  })
}

async function start(
  sandbox: Sandbox,
  networks: Networks,
  containerId: string,
  network: string,
  command: readonly string[] = ['sleep', '600'],
): Promise<Container> {
  const endpoint = await networks.connect({
    ...base,
    containerId,
    containerName: containerId.slice(0, 1),
    network,
  })
  return await sandbox.startContainer([endpoint], command)
}

function addressOf(networks: Networks, containerId: string): string {
  return networks.endpointsOfContainer(containerId)[0]?.ipv4?.address ?? ''
}
