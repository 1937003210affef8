// needs: root, unshare(1), mount(8), ip(8), nft(8)
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { ConnectOptions, Networks } from '../src/index.ts'
import { type Container, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const C = 'c'.repeat(64)
const RESOLVER = '127.0.0.11'

if (isInOwnNetns(import.meta.filename)) {
  describe('names', { concurrency: false }, () => {
    test('containers of a network find each other by name, alias, hostname, short id and link', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      await networks.create({ name: 'n1', ipam: [{ subnet: '10.72.0.0/24' }] })
      const web = { containerId: A, containerName: 'Web', aliases: ['www'], hostname: 'host-a' }
      await start(sandbox, networks, { ...web, network: 'n1' })
      const client = await start(sandbox, networks, {
        containerId: B,
        containerName: 'client',
        network: 'n1',
        links: ['Web:linked'],
      })
      assert.equal(networks.resolverOf(B), RESOLVER)
      for (const name of ['web', 'WEB', 'www', 'host-a', A.slice(0, 12), 'linked', 'web.n1']) {
        assert.deepEqual(await lookUp(client, '10.72.0.1', name), ['10.72.0.2'], name)
      }
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'web', 'AAAA'), ['ENODATA'])
      assert.deepEqual(await lookUp(client, '10.72.0.1', '10.72.0.2', 'reverse'), ['Web.n1'])
      networks.renameContainer(A, 'renamed')
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'renamed'), ['10.72.0.2'])
      await networks.disconnect(A)
      assert.notDeepEqual(await lookUp(client, '10.72.0.1', 'www'), ['10.72.0.2'])
    })

    test('an alias of several containers is all their addresses, and IPv6 is answered over IPv6', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      const ipam = [{ subnet: '10.72.0.0/24' }, { subnet: 'fd00:72::/64' }]
      await networks.create({ name: 'n6', enableIpv6: true, ipam })
      const one = { containerId: A, containerName: 'a', network: 'n6', aliases: ['svc'] }
      const two = { containerId: B, containerName: 'b', network: 'n6', aliases: ['svc'] }
      const client = await start(sandbox, networks, one)
      await start(sandbox, networks, two)
      const ipv4 = await lookUp(client, '10.72.0.1', 'svc')
      assert.deepEqual(ipv4.toSorted(), ['10.72.0.2', '10.72.0.3'])
      const ipv6 = await lookUp(client, 'fd00:72::1', 'svc', 'AAAA')
      assert.deepEqual(ipv6.toSorted(), ['fd00:72::2', 'fd00:72::3'])
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'fd00:72::2', 'reverse'), ['a.n6'])
    })

    test('a container sees the names of its own networks only, whichever gateway it asks', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      await networks.create({ name: 'back', isInternal: true, ipam: [{ subnet: '10.1.0.0/24' }] })
      await networks.create({ name: 'front', isInternal: true, ipam: [{ subnet: '10.2.0.0/24' }] })
      await start(sandbox, networks, { containerId: A, containerName: 'db', network: 'back' })
      const outer = await start(sandbox, networks, {
        containerId: B,
        containerName: 'outer',
        network: 'front',
      })
      const both = { containerId: C, containerName: 'both', aliases: [], ports: [] }
      const plans = [
        await networks.connect({ ...both, network: 'back', index: 0 }),
        await networks.connect({ ...both, network: 'front', index: 1 }),
      ]
      const middle = await sandbox.startContainer(plans, ['sleep', '600'])
      for (const gateway of ['10.1.0.1', '10.2.0.1']) {
        assert.deepEqual(await lookUp(middle, gateway, 'db'), ['10.1.0.2'])
        assert.deepEqual(await lookUp(middle, gateway, 'outer'), ['10.2.0.2'])
      }
      assert.deepEqual(await lookUp(outer, '10.2.0.1', 'db'), ['ENOTFOUND'])
      outer.run('ip route add 10.1.0.0/24 via 10.2.0.1')
      assert.deepEqual(await lookUp(outer, '10.1.0.1', 'db'), ['EREFUSED'])
      assert.deepEqual(await lookUp(undefined, '10.1.0.1', 'db'), ['EREFUSED'])
    })

    test('127.0.0.11 is the resolver, over UDP and TCP, and nothing else of 127.0.0.0/8 leaves the container', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openWithUpstream(sandbox)
      const client = await start(sandbox, networks, { ...solo, network: 'n1' })
      assert.deepEqual(await lookUp(client, RESOLVER, 'solo'), ['10.72.0.2'])
      assert.deepEqual(await lookUp(client, RESOLVER, '10.72.0.2', 'reverse'), ['solo.n1'])
      // Does not fit into a datagram.
      assert.equal((await lookUp(client, RESOLVER, 'long.example')).length, 200)
      assert.match(
        client.run('ip route get 127.0.0.11'),
        /via 10\.72\.0\.1 dev eth0 src 10\.72\.0\.2/,
      )
      assert.match(client.run('ip route get 127.0.0.12'), /^local 127\.0\.0\.12 dev lo/)
      assert.match(
        client.run('nft list ruleset'),
        /ip daddr 127\.0\.0\.11 .* dport 53 dnat to 10\.72\.0\.1/,
      )
    })

    test('127.0.0.11 follows a running container from network to network', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      await networks.create({ name: 'n1', ipam: [{ subnet: '10.1.0.0/24' }] })
      await networks.create({ name: 'n2', ipam: [{ subnet: '10.2.0.0/24' }] })
      const ends = { ...solo, aliases: [], ports: [] }
      const client = await start(sandbox, networks, { ...ends, network: 'bridge' })
      assert.equal(networks.resolverOf(A), undefined)
      await networks.connectRunning({ ...ends, network: 'n1', index: 1 }, client.target)
      assert.deepEqual(await lookUp(client, RESOLVER, 'solo'), ['10.1.0.2'])
      await networks.connectRunning({ ...ends, network: 'n2', index: 2 }, client.target)
      await networks.disconnectRunning(A, 'n1', client.target)
      assert.deepEqual(await lookUp(client, RESOLVER, 'solo'), ['10.2.0.2'])
      await networks.disconnectRunning(A, 'n2', client.target)
      assert.equal(networks.resolverOf(A), undefined)
      for (const network of ['n2', 'n1']) {
        await networks.connectRunning({ ...ends, network, index: 1 }, client.target)
        assert.match(client.run('ip -o link show eth1'), /^3: eth1@/)
        assert.equal((await lookUp(client, RESOLVER, 'solo')).length, 1)
        await networks.disconnectRunning(A, network, client.target)
      }
    })

    test('other names are asked of the host’s resolvers, and kept for a while', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openWithUpstream(sandbox)
      const client = await start(sandbox, networks, { ...solo, network: 'n1' })
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'x.example'), ['203.0.113.7'])
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'X.example'), ['203.0.113.7'])
      const long = await lookUp(client, '10.72.0.1', 'long.example')
      assert.equal(long.length, 200)
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'nosuch.example'), ['ENOTFOUND'])
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'broken.example'), ['ESERVFAIL'])
    })

    test('a container’s own resolvers are asked in the host’s place, the next when one is silent', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openWithUpstream(sandbox, 'nameserver 192.0.2.66\n')
      const nameservers = ['192.0.2.66', '192.0.2.9']
      const client = await start(sandbox, networks, { ...solo, network: 'n1', nameservers })
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'x.example'), ['203.0.113.7'])
    })

    test('an internal network has names, but none from outside', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openWithUpstream(sandbox)
      await networks.create({ name: 'inner', isInternal: true, ipam: [{ subnet: '10.3.0.0/24' }] })
      const client = await start(sandbox, networks, { ...solo, network: 'inner' })
      assert.deepEqual(await lookUp(client, '10.3.0.1', 'solo'), ['10.3.0.2'])
      assert.deepEqual(await lookUp(client, '10.3.0.1', 'x.example'), ['ENOTFOUND'])
    })

    test('after a restart names are answered at the same address', async () => {
      await using sandbox = await Sandbox.open()
      const first = await sandbox.openNetworks()
      await first.create({ name: 'n1', ipam: [{ subnet: '10.72.0.0/24' }] })
      const client = await start(sandbox, first, { ...solo, network: 'n1' })
      await first[Symbol.asyncDispose]()
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'solo'), ['ECONNREFUSED'])
      await using second = await sandbox.openNetworks()
      assert.equal(second.resolverOf(A), RESOLVER)
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'solo'), ['10.72.0.2'])
      assert.deepEqual(await lookUp(client, RESOLVER, 'solo'), ['10.72.0.2'])
    })

    test('when another program has port 53, queries are led around it', async () => {
      await using sandbox = await Sandbox.open()
      const other = createSocket('udp4').bind(53, '0.0.0.0')
      await once(other, 'listening')
      await using networks = await sandbox.openNetworks()
      await networks.create({ name: 'n1', ipam: [{ subnet: '10.72.0.0/24' }] })
      const client = await start(sandbox, networks, { ...solo, network: 'n1' })
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'solo'), ['10.72.0.2'])
      assert.deepEqual(await lookUp(client, RESOLVER, 'solo'), ['10.72.0.2'])
      run('nft flush ruleset')
      await networks.reload()
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'solo'), ['10.72.0.2'])
      other.close()
    })

    test('what hostile clients send does no harm', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      await networks.create({ name: 'n1', ipam: [{ subnet: '10.72.0.0/24' }] })
      const client = await start(sandbox, networks, { ...solo, network: 'n1' })
      const script = `
        const { randomBytes, randomInt } = require('node:crypto'), { connect } = require('node:net')
        const udp = require('node:dgram').createSocket('udp4')
        for (let n = 0; n < 2000; n++) udp.send(randomBytes(randomInt(1, 200)), 53, '10.72.0.1')
        udp.send(Buffer.alloc(65000, 0xc0), 53, '10.72.0.1', () => udp.close())
        for (let n = 0; n < 100; n++) {
          const tcp = connect(53, '10.72.0.1').on('error', () => {})
          tcp.on('connect', () => { tcp.write(randomBytes(500)); if (n % 2) tcp.resetAndDestroy(); else tcp.end() })
          tcp.resume()
        }`
      await runIn(client, script)
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'solo'), ['10.72.0.2'])
    })
  })
}

const solo = { containerId: A, containerName: 'solo' }

async function start(
  sandbox: Sandbox,
  networks: Networks,
  o: Pick<ConnectOptions, 'containerId' | 'containerName' | 'network'> & Partial<ConnectOptions>,
): Promise<Container> {
  const plan = await networks.connect({ aliases: [], ports: [], index: 0, ...o })
  return await sandbox.startContainer([plan], ['sleep', '600'])
}

/** Networks on a host whose resolver is a machine outside. */
async function openWithUpstream(
  sandbox: Sandbox,
  resolvConf = 'nameserver 192.0.2.9\n',
): Promise<Networks> {
  const file = join(sandbox.directory, 'resolv.conf')
  writeFileSync(file, resolvConf)
  run(`umount -q /etc/resolv.conf || true; mount --bind ${file} /etc/resolv.conf`)
  const upstream = join(import.meta.dirname, 'upstream.ts')
  const outside = await sandbox.startNeighbour([process.execPath, upstream])
  const networks = await sandbox.openNetworks()
  await networks.create({ name: 'n1', ipam: [{ subnet: '10.72.0.0/24' }] })
  outside.run('until ss -Hlnt | grep -q :53; do sleep 0.05; done')
  return networks
}

/** What a client in the container's network namespace (undefined: on the host) learns from the resolver at `server`, or the error's code. */
async function lookUp(
  from: Container | undefined,
  server: string,
  name: string,
  type = 'A',
): Promise<string[]> {
  const ask = type === 'reverse' ? `r.reverse('${name}')` : `r.resolve('${name}', '${type}')`
  const script = `const r = new (require('node:dns').promises.Resolver)({ timeout: 6000, tries: 1 }); r.setServers(['${server.includes(':') ? `[${server}]` : server}'])
    ${ask}.then((v) => v, (e) => [e.code]).then((v) => console.log(JSON.stringify(v)))`
  return JSON.parse(await runIn(from, script)) as string[]
}

/** Output of a script of Node in the container's network namespace. The resolver is in this process, which must not wait for it. */
async function runIn(from: Container | undefined, script: string): Promise<string> {
  const enter = from === undefined ? ['env'] : ['nsenter', '-t', `${from.target.pid}`, '-n']
  const args = [...enter.slice(1), process.execPath, '-e', script]
  const { stdout } = await promisify(execFile)(enter[0] ?? '', args, { timeout: 60_000 })
  return stdout
}
