// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Networks } from '../src/index.ts'
import { type Container, echoServer, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const PORT = 8053
const ports = [{ protocol: 'udp', containerPort: 80, hostIp: '', hostPort: `${PORT}` }]
const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]

if (isInOwnNetns(import.meta.filename)) {
  test('a sender of UDP that goes on from one port reaches whoever has the published port now', async () => {
    await using sandbox = await Sandbox.open()
    const networks = await sandbox.openNetworks()
    await networks.create({ name: 'na', ipam: [{ subnet: '10.71.0.0/24' }] })
    await networks.create({ name: 'nb', ipam: [{ subnet: '10.72.0.0/24' }] })
    const outside = await sandbox.startNeighbour()
    const send = (expected: string, address = '192.0.2.1', from = '192.0.2.9'): void => {
      assert.equal(ask(outside, address), expected === 'answer' ? from : expected)
    }
    // The host has the port: nobody answers, and the kernel remembers a flow that is not translated.
    send('nobody')
    const a = await start(sandbox, networks, A, '10.72.0.10')
    send('answer')
    await a.stop()
    await networks.disconnect(A)
    assert.equal(flows(), '', 'a port that leads nowhere')
    const b = await start(sandbox, networks, B, '10.72.0.20')
    send('answer')
    const { target } = b
    await networks.connectRunning({ ...of(B), ports, network: 'na', index: 1 }, target)
    assert.equal(flows(), '', 'a port that leads by another network')
    send('answer')
    await networks.disconnectRunning(B, 'na', target)
    send('answer')
  })
}

const of = (id: string) => ({ containerId: id, containerName: id.slice(0, 1), aliases: [] })

async function start(
  sandbox: Sandbox,
  networks: Networks,
  id: string,
  requestedIp: string,
): Promise<Container> {
  const endpoint = await networks.connect({
    ...of(id),
    ports,
    network: 'nb',
    requestedIp,
    index: 0,
  })
  return await sandbox.startContainer([endpoint], echoServer(80))
}

/** Always from the same port, until something comes back, or for two seconds, or until the kernel says that nobody listens. */
function ask(from: Container, address: string): string {
  const script = `const s = require('dgram').createSocket('udp4'); const end = (text) => { console.log(text); process.exit() }
    s.bind(5000, () => s.connect(${PORT}, '${address}', () => { const say = () => s.send('x'); say(); setInterval(say, 100) }))
    s.on('message', (m) => end(String(m))); let refusals = 0; s.on('error', () => { if (++refusals === 20) end('nobody') }); setTimeout(() => end('timeout'), 15_000)`
  return from.run(`exec ${process.execPath} -e "${script}"`).trim()
}

/** What the kernel remembers of them. */
function flows(): string {
  return run(`grep 'dport=${PORT}' /proc/net/nf_conntrack || true`)
}
