// needs: root, unshare(1), mount(8), ip(8), nft(8), macvlan in the kernel
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { ConnectOptions, Networks } from '../src/index.ts'
import { type Container, isInOwnNetns, Sandbox } from './sandbox.ts'

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]
const RESOLVER = '127.0.0.11'

if (isInOwnNetns(import.meta.filename)) {
  describe('names on networks without an address of the host', { concurrency: false }, () => {
    test('are answered in the containers of a macvlan network, over UDP and TCP', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openLan(sandbox)
      const web = { containerId: A, containerName: 'Web', aliases: ['www'], hostname: 'host-a' }
      await start(sandbox, networks, web)
      const client = await start(sandbox, networks, { ...client0, links: ['Web:linked'] })
      assert.equal(networks.resolverOf(B), RESOLVER)
      for (const name of ['web', 'WEB', 'www', 'host-a', A.slice(0, 12), 'linked', 'web.lan']) {
        assert.deepEqual(await lookUp(client, name), ['10.72.0.1'], name)
      }
      assert.deepEqual(await lookUp(client, '10.72.0.1', 'reverse'), ['Web.lan'])
      assert.deepEqual(await lookUpByTcp(client, 'www'), '10.72.0.1')
      assert.match(client.run('ss -Hlnu src 127.0.0.11'), /127\.0\.0\.11:2\d{4}/)
      await networks.disconnect(A)
      assert.notDeepEqual(await lookUp(client, 'www'), ['10.72.0.1'])
    })

    test('are answered on an isolated network, which knows none from outside', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await sandbox.openNetworks()
      const options = { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' }
      const ipam = [{ subnet: '10.72.0.0/24' }]
      await networks.create({ name: 'lan', isInternal: true, options, ipam })
      await start(sandbox, networks, { containerId: A, containerName: 'web' })
      const client = await start(sandbox, networks, client0)
      assert.deepEqual(await lookUp(client, 'web'), ['10.72.0.1'])
      assert.deepEqual(await lookUp(client, 'www.example'), ['ENOTFOUND'])
    })

    test('wait for the next daemon, which finds the sockets', async () => {
      await using sandbox = await Sandbox.open()
      const first = await openLan(sandbox)
      await start(sandbox, first, { containerId: A, containerName: 'web' })
      const client = await start(sandbox, first, client0)
      await first[Symbol.asyncDispose]()
      const answer = lookUp(client, 'web')
      await using second = await sandbox.openNetworks()
      await second.reconcile(new Set([A, B]))
      assert.ok(second.isAnsweredInside(B))
      await second.serveNames(B, client.target.pid)
      assert.deepEqual(await answer, ['10.72.0.1'])
    })

    test('follow a running container from a bridge to a macvlan network, and back', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openLan(sandbox)
      await networks.create({ name: 'br', ipam: [{ subnet: '10.71.0.0/24' }] })
      await start(sandbox, networks, { containerId: A, containerName: 'web' })
      const client = await start(sandbox, networks, { ...client0, network: 'bridge' })
      const end = { ...client0, aliases: [], ports: [] }
      for (const _round of [1, 2]) {
        await networks.connectRunning({ ...end, network: 'lan', index: 1 }, client.target)
        assert.deepEqual(await lookUp(client, 'web'), ['10.72.0.1'])
        await networks.connectRunning({ ...end, network: 'br', index: 2 }, client.target)
        assert.deepEqual(await lookUp(client, 'web'), ['10.72.0.1'], 'by the gateway')
        await networks.disconnectRunning(B, 'br', client.target)
        assert.deepEqual(await lookUp(client, 'web'), ['10.72.0.1'], 'inside again')
        await networks.disconnectRunning(B, 'lan', client.target)
        assert.equal(networks.resolverOf(B), undefined)
      }
    })

    test('hold no network namespace when the container has ended', async () => {
      await using sandbox = await Sandbox.open()
      await using networks = await openLan(sandbox)
      const client = await start(sandbox, networks, client0)
      assert.deepEqual(await lookUp(client, 'client'), ['10.72.0.1'])
      const inode = client.run("awk '$2 ~ /^0B00007F:/ { print $10 }' /proc/net/udp").trim()
      assert.ok(holds(inode))
      await client.stop()
      await networks.disconnect(B)
      assert.ok(!holds(inode))
    })
  })
}

const client0 = { containerId: B, containerName: 'client' }

/** This process has the socket, and with it the network namespace. */
function holds(inode: string): boolean {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '' // that of the directory
    }
  })
  return links.includes(`socket:[${inode}]`)
}

/** A network whose parent is connected with nothing. */
async function openLan(sandbox: Sandbox): Promise<Networks> {
  const networks = await sandbox.openNetworks()
  await networks.create({ name: 'lan', driver: 'macvlan', ipam: [{ subnet: '10.72.0.0/24' }] })
  return networks
}

async function start(
  sandbox: Sandbox,
  networks: Networks,
  o: Pick<ConnectOptions, 'containerId' | 'containerName'> & Partial<ConnectOptions>,
): Promise<Container> {
  const asked = { network: 'lan', aliases: [], ports: [], index: 0, ...o }
  const container = await sandbox.startContainer([await networks.connect(asked)], ['sleep', '600'])
  // As the engine does it.
  if (networks.isAnsweredInside(o.containerId)) {
    await networks.serveNames(o.containerId, container.target.pid)
  }
  return container
}

async function lookUp(from: Container, name: string, type = 'A'): Promise<string[]> {
  const ask = type === 'reverse' ? `r.reverse('${name}')` : `r.resolve('${name}', '${type}')`
  const script = `const r = new (require('node:dns').promises.Resolver)({ timeout: 6000, tries: 2 }); r.setServers(['${RESOLVER}'])
    ${ask}.then((v) => v, (e) => [e.code]).then((v) => console.log(JSON.stringify(v)))`
  return JSON.parse(await runIn(from, script)) as string[]
}

/** The last four bytes of the answer to a question for the name's address. */
async function lookUpByTcp(from: Container, name: string): Promise<string> {
  const script = `const label = Buffer.concat([Buffer.from([${name.length}]), Buffer.from('${name}')])
    const query = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), label, Buffer.from([0, 0, 1, 0, 1])])
    const s = require('net').connect(53, '${RESOLVER}', () => s.write(Buffer.concat([Buffer.from([0, query.length]), query])))
    s.on('data', (d) => { console.log([...d.subarray(-4)].join('.')); s.destroy() }).on('error', (e) => console.log(e.code))`
  return (await runIn(from, script)).trim()
}

/** The resolver is in this process, which must not wait for it. */
async function runIn(from: Container, script: string): Promise<string> {
  const args = ['-t', `${from.target.pid}`, '-n', process.execPath, '-e', script]
  const { stdout } = await promisify(execFile)('nsenter', args, { timeout: 60_000 })
  return stdout
}
