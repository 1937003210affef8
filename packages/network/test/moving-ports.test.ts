// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Endpoint, Networks, Target } from '../src/index.ts'
import { ask, type Container, echoServer, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const A = 'a'.repeat(64)
const PORT = 8080
const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: `${PORT}` }]
const MOMENTS = ['before the ports', 'after the ports', 'before it is written down'] as const
const asked = { containerId: A, containerName: 'a', aliases: [], ports }

if (isInOwnNetns(import.meta.filename)) {
  describe('the ports of a running container', { concurrency: false }, () => {
    test('follow the default route to a network that it is connected to, and back', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await openThree(sandbox)
      const outside = await sandbox.startNeighbour()
      const a = await startOn(sandbox, networks, 'nb')
      assertPublishedOn(networks, outside, 'nb')
      await networks.connectRunning({ ...asked, network: 'na', index: 1 }, a.target)
      assertPublishedOn(networks, outside, 'na')
      await networks.connectRunning({ ...asked, network: 'nc', index: 2 }, a.target)
      assertPublishedOn(networks, outside, 'na')
      await networks.disconnectRunning(A, 'na', a.target)
      assertPublishedOn(networks, outside, 'nb')
      await networks.disconnectRunning(A, 'nb', a.target)
      assertPublishedOn(networks, outside, 'nc')
    })

    test('follow the priority before the name', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await openThree(sandbox)
      const outside = await sandbox.startNeighbour()
      const a = await startOn(sandbox, networks, 'na')
      const next = { ...asked, network: 'nc', index: 1, gatewayPriority: 1 }
      await networks.connectRunning(next, a.target)
      assertPublishedOn(networks, outside, 'nc')
      const wanted = [
        { network: 'na', priority: 0 },
        { network: 'nc', priority: 1 },
        { network: 'inner', priority: 9 },
      ]
      assert.equal(networks.wayOut(wanted), 'nc')
    })

    test('are given back with the last network that leads out, and taken again with the next', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await openThree(sandbox)
      const outside = await sandbox.startNeighbour()
      const a = await startOn(sandbox, networks, 'nb')
      await networks.connectRunning({ ...asked, network: 'inner', index: 1 }, a.target)
      assertPublishedOn(networks, outside, 'nb')
      await networks.disconnectRunning(A, 'nb', a.target)
      assert.deepEqual(publishedOn(networks), [])
      assert.equal(run(`ss -ltnH 'sport = ${PORT}'`), '')
      assert.doesNotMatch(run('nft list ruleset'), new RegExp(`${PORT}`))
      await networks.connectRunning({ ...asked, network: 'na', index: 0 }, a.target)
      assertPublishedOn(networks, outside, 'na')
    })

    test('are as they were when another program has one of them', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await openThree(sandbox)
      const taken = await sandbox.startContainer([], ['sleep', '600'])
      const listener = {
        protocol: 'tcp',
        hostIp: '0.0.0.0',
        hostPort: PORT,
        containerPort: 9,
        isDirect: false,
      } as const
      const inner = await networks.connect({ ...asked, network: 'inner', index: 0 })
      const a = await sandbox.startContainer([inner], ['sleep', '600'])
      const theirs = { opened: [{ ...listener, targetAddress: '192.0.2.9' }], closed: [] }
      assert.equal(await taken.target.setForwards(theirs), undefined)
      await assert.rejects(
        networks.connectRunning({ ...asked, network: 'na', index: 1 }, a.target),
        {
          message: new RegExp(
            `^driver failed programming external connectivity on endpoint a \\([0-9a-f]{64}\\): Bind for 0.0.0.0:${PORT} failed: port is already allocated$`,
          ),
        },
      )
      assert.deepEqual(names(networks), ['inner'])
      assert.equal(a.run('ip -o -4 addr').trim().split('\n').length, 2)
      await taken.stop()
      await networks.connectRunning({ ...asked, network: 'na', index: 1 }, a.target)
      assert.deepEqual(publishedOn(networks), ['na'])
    })

    for (const moment of MOMENTS) {
      test(`are where they were after a daemon is killed within a connect, ${moment}`, async () => {
        await using sandbox = await Sandbox.open()
        const networks = await openThree(sandbox)
        const outside = await sandbox.startNeighbour()
        const a = await startOn(sandbox, networks, 'nb')
        const na = { ...asked, network: 'na', index: 1 }
        await untilKilled(moment, a.target, (target, record) =>
          networks.connectRunning(na, target, record),
        )
        const after = await sandbox.openNetworks()
        await after.reconcile(new Set([A]))
        assert.ok(after.hasUnfinishedChanges(A))
        await after.finishChanges(A, a.target)
        assert.ok(!after.hasUnfinishedChanges(A))
        assertPublishedOn(after, outside, 'nb')
        assert.deepEqual(names(after), ['nb'])
        assert.equal(a.run('ip -o -4 addr').trim().split('\n').length, 2)
      })

      test(`have moved after a daemon is killed within a disconnect, ${moment}`, async () => {
        await using sandbox = await Sandbox.open()
        const networks = await openThree(sandbox)
        const outside = await sandbox.startNeighbour()
        const a = await startOn(sandbox, networks, 'nb')
        await networks.connectRunning({ ...asked, network: 'na', index: 1 }, a.target)
        await untilKilled(moment, a.target, (target, record) =>
          networks.disconnectRunning(A, 'na', target, { record }),
        )
        const after = await sandbox.openNetworks()
        await after.reconcile(new Set([A]))
        await after.finishChanges(A, a.target)
        assertPublishedOn(after, outside, 'nb')
        assert.deepEqual(names(after), ['nb'])
        assert.equal(a.run('ip -o -4 addr').trim().split('\n').length, 2)
      })
    }
  })
}

/** What a daemon does not come to do any more hangs, or is not written. */
async function untilKilled(
  moment: (typeof MOMENTS)[number],
  target: Target,
  change: (target: Target, record?: () => void) => Promise<unknown>,
): Promise<void> {
  if (moment === 'before it is written down') {
    await change(target, () => undefined)
    return
  }
  const { promise: killed, resolve } = Promise.withResolvers<void>()
  const never = new Promise<undefined>(() => undefined)
  const setForwards: Target['setForwards'] = async (changes) => {
    if (moment === 'after the ports') await target.setForwards(changes)
    resolve()
    return await never
  }
  void change({ ...target, setForwards })
  await killed
}

async function openThree(sandbox: Sandbox): Promise<Networks> {
  const networks = await sandbox.openNetworks()
  for (const name of ['na', 'nb', 'nc']) await networks.create({ name })
  await networks.create({ name: 'inner', isInternal: true })
  return networks
}

async function startOn(sandbox: Sandbox, networks: Networks, network: string): Promise<Container> {
  const endpoint = await networks.connect({ ...asked, network, index: 0 })
  return await sandbox.startContainer([endpoint], echoServer(80))
}

/** By the firewall from outside, by the shim on loopback, and in the book; and the default route leads out there. */
function assertPublishedOn(networks: Networks, outside: Container, name: string): void {
  assert.deepEqual(publishedOn(networks), [name])
  const endpoint = endpoints(networks).find(({ networkName }) => networkName === name)
  const rules = run('nft list ruleset')
  // A number where there is no /etc/protocols (Debian: netbase). protocols(5)
  const published = `(?:tcp|6) \\. ${PORT} : ${endpoint?.ipv4?.address} \\. 80`
  assert.match(rules, new RegExp(published))
  assert.equal(endpoint?.isGateway, true)
  assert.equal(ask(outside, 'tcp', '192.0.2.1', PORT), '192.0.2.9')
  assert.equal(ask(undefined, 'tcp', '127.0.0.1', PORT), endpoint.ipv4?.gateway)
}

function publishedOn(networks: Networks): string[] {
  return endpoints(networks)
    .filter((endpoint) => endpoint.publications.length > 0)
    .map(({ networkName }) => networkName)
}

function names(networks: Networks): string[] {
  return endpoints(networks).map(({ networkName }) => networkName)
}

function endpoints(networks: Networks): Endpoint[] {
  return networks.endpointsOfContainer(A)
}
