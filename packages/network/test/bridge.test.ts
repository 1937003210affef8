// needs: root, unshare(1), ip(8), nft(8)
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import type { Networks } from '../src/index.ts'
import { ask, type Container, echoServer, isClosed, isInOwnNetns, run, Sandbox } from './sandbox.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const base = { aliases: [], ports: [], index: 0, network: 'bridge' }

if (isInOwnNetns(import.meta.filename)) {
  describe('default bridge', { concurrency: false }, () => {
    test('a container gets address, MAC, default route and lo, and reaches its gateway and neighbour', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const a = await start(sandbox, networks, A)
      const b = await start(sandbox, networks, B)
      assert.match(
        a.run('ip -o -4 addr'),
        /1: lo .*127\.0\.0\.1\/8[^]*2: eth0 .*172\.17\.0\.2\/16 brd 172\.17\.255\.255/,
      )
      assert.match(a.run('ip -o link show eth0'), /mtu 1500 .*state UP .*02:42:ac:11:00:02/)
      assert.match(a.run('ip -d -o link show eth0'), /numtxqueues 1 numrxqueues 1 /)
      assert.equal(a.run('ip -6 -o addr show dev eth0'), '', 'no link-local address')
      assert.match(a.run('ip route'), /^default via 172\.17\.0\.1 dev eth0/)
      a.run('busybox ping -c1 -W2 172.17.0.1')
      b.run('busybox ping -c1 -W2 172.17.0.2')
      await stop(networks, a, A)
      await stop(networks, b, B)
      await networks.close()
      assertNothingLeft()
    })

    test('a container cannot make itself the router of the host', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const a = await start(sandbox, networks, A)
      assert.equal(run('cat /proc/sys/net/ipv6/conf/ctr0/accept_ra').trim(), '0')
      await stop(networks, a, A)
      await networks.close()
      assertNothingLeft()
    })

    test('outgoing traffic takes the address of the host', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const outside = await sandbox.startNeighbour()
      const a = await start(sandbox, networks, A)
      outside.run(
        `${shellQuote(echoServer(7000))} >/dev/null 2>&1 & echo $! > ${sandbox.directory}/pid`,
      )
      assert.equal(ask(a, 'tcp', '192.0.2.9', 7000), '192.0.2.1')
      assert.equal(ask(a, 'udp', '192.0.2.9', 7000), '192.0.2.1')
      run(`kill $(cat ${sandbox.directory}/pid)`)
      await outside.stop()
      await stop(networks, a, A)
      await networks.close()
      assertNothingLeft()
    })

    test('a published port is reached from outside with the source address kept, and nothing else is', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const outside = await sandbox.startNeighbour()
      const ports = [
        { protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' },
        { protocol: 'udp', containerPort: 80, hostIp: '192.0.2.1', hostPort: '8053' },
      ]
      const a = await start(sandbox, networks, A, { ports }, echoServer(80, '0.0.0.0'))
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      assert.equal(ask(outside, 'udp', '192.0.2.1', 8053), '192.0.2.9')
      outside.run('ip route add 172.17.0.0/16 via 192.0.2.1')
      assert.ok(isClosed(outside, '172.17.0.2', 80), 'not past the published port')
      await stop(networks, a, A)
      assert.ok(isClosed(outside, '192.0.2.1', 8080))
      await outside.stop()
      await networks.close()
      assertNothingLeft()
    })

    test('a published port is reached from the host, by loopback, IPv6, itself and a container elsewhere', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'other' })
      const outside = await sandbox.startNeighbour()
      const ports = ['tcp', 'udp'].map((protocol) => ({
        protocol,
        containerPort: 80,
        hostIp: '',
        hostPort: '8080',
      }))
      const a = await start(sandbox, networks, A, { ports }, echoServer(80, '0.0.0.0'))
      const b = await start(sandbox, networks, B, { network: 'other' })
      for (const protocol of ['tcp', 'udp'] as const) {
        assert.equal(
          ask(undefined, protocol, '127.0.0.1', 8080),
          '172.17.0.1',
          `${protocol} loopback`,
        )
        assert.equal(
          ask(undefined, protocol, '::1', 8080),
          '172.17.0.1',
          `${protocol} IPv6 loopback`,
        )
        assert.equal(ask(undefined, protocol, '192.0.2.1', 8080), '192.0.2.1', `${protocol} host`)
        assert.equal(
          ask(outside, protocol, 'fd00:2::1', 8080),
          '172.17.0.1',
          `${protocol} IPv6 from outside`,
        )
        assert.equal(ask(a, protocol, '192.0.2.1', 8080), '172.17.0.1', `${protocol} hairpin`)
        assert.equal(
          ask(b, protocol, '192.0.2.1', 8080),
          '172.17.0.1',
          `${protocol} from another network`,
        )
      }
      await stop(networks, a, A)
      await stop(networks, b, B)
      await networks.remove('other')
      await outside.stop()
      await networks.close()
      assertNothingLeft()
    })

    test('networks are isolated from each other', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      await networks.create({ name: 'other' })
      const a = await start(sandbox, networks, A, {}, echoServer(80))
      const b = await start(sandbox, networks, B, { network: 'other' })
      assert.equal(ask(undefined, 'tcp', '172.17.0.2', 80), '172.17.0.1', 'the host reaches it')
      assert.ok(isClosed(b, '172.17.0.2', 80))
      await stop(networks, a, A)
      await stop(networks, b, B)
      await networks.remove('other')
      await networks.close()
      assertNothingLeft()
    })

    test('a second container cannot have the same port; another program is found out by the bind', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' }]
      await networks.connect({ ...base, containerId: A, containerName: 'a', ports })
      const second = networks.connect({ ...base, containerId: B, containerName: 'b', ports })
      await assert.rejects(
        second,
        /on endpoint b \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
      )
      assert.deepEqual(networks.endpointsOfContainer(B), [], 'nothing stays allocated')
      await networks.disconnect(A)
      await networks.connect({ ...base, containerId: B, containerName: 'b', ports })
      await networks.disconnect(B)

      await using _other = await listen(8080)
      const third = await networks.connect({ ...base, containerId: A, containerName: 'a', ports })
      await assert.rejects(sandbox.startContainer([third], ['sleep', '600']), {
        op: 'forward',
        code: 'EADDRINUSE',
      })
      await networks.disconnect(A)
      await networks.close()
      assertNothingLeft()
    })

    test('everything stays over a restart, and what died meanwhile is removed', async () => {
      await using sandbox = await Sandbox.open()
      const before = await sandbox.openNetworks()
      const outside = await sandbox.startNeighbour()
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: '8080' }]
      const a = await start(sandbox, before, A, { ports }, echoServer(80))
      await before.connect({
        ...base,
        containerId: B,
        containerName: 'b',
        ports: [{ ...ports[0], protocol: 'udp', containerPort: 53, hostIp: '', hostPort: '53' }],
      })
      run('ip link add stray0 type veth peer name stray1 && ip link set stray0 master ctr0')
      await before.setPlugged(A, false) // for a checkpoint, which was never completed
      assert.ok(isClosed(outside, '192.0.2.1', 8080))
      await before[Symbol.asyncDispose]() // as kill -9: nothing is tidied up

      const after = await sandbox.openNetworks()
      await after.reconcile(new Set([A]))
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      assert.doesNotMatch(run('nft --numeric-protocol list ruleset'), /17 \. 53/)
      assert.doesNotMatch(run('ip -br link'), /stray/)
      const next = await after.connect({ ...base, containerId: B, containerName: 'b' })
      assert.equal(next.ipv4?.address, '172.17.0.3')
      await after.disconnect(B)

      await after.close()
      assert.match(run('ip -br link'), /ctr0/, 'still used')
      assert.equal(ask(outside, 'tcp', '192.0.2.1', 8080), '192.0.2.9')
      await a.stop()
      const last = await sandbox.openNetworks()
      await last.reconcile(new Set())
      await outside.stop()
      await last.close()
      assertNothingLeft()
    })

    test('a flushed ruleset is made good by reload, and by the next published port', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const rules = run('nft list ruleset')
      run('nft flush ruleset')
      await networks.reload()
      assert.equal(run('nft list ruleset'), rules)
      run('nft flush ruleset')
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: '8080' }]
      await networks.connect({ ...base, containerId: A, containerName: 'a', ports })
      assert.match(run('nft --numeric-protocol list ruleset'), /6 \. 8080 : 172\.17\.0\.2 \. 80/)
      run('nft flush ruleset')
      await networks.disconnect(A)
      assert.equal(run('nft list ruleset'), rules)
      await networks.close()
      assertNothingLeft()
    })

    test('a firewall that another program has deleted, wholly or in part, comes back by itself', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      sandbox.onRulesetLoss = () => networks.rulesetLost()
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: '8080' }]
      await networks.connect({ ...base, containerId: A, containerName: 'a', ports })
      const rules = run('nft list ruleset')
      const healed = async (): Promise<void> => {
        const deadline = Date.now() + 120_000
        while (run('nft list ruleset') !== rules) {
          assert.ok(Date.now() < deadline, run('nft list ruleset'))
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      for (const damage of [
        'nft flush ruleset',
        'nft delete table inet ctr-test',
        'nft flush table inet ctr-test',
        'nft flush chain inet ctr-test forward',
        // A firewall that is loaded anew, as nftables.service does it.
        "printf 'flush ruleset\\nadd table inet other\\n' | nft -f -; nft delete table inet other",
      ]) {
        run(damage)
        await healed()
      }
      await networks.disconnect(A)
      await networks.close()
      assertNothingLeft()
    })

    test('ten containers at once get ten addresses and leave nothing', async () => {
      await using sandbox = await Sandbox.open()
      const networks = await sandbox.openNetworks()
      const ids = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(64))
      const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '' }]
      const all = await Promise.all(ids.map((id) => start(sandbox, networks, id, { ports })))
      const addresses = ids.map((id) => networks.endpointsOfContainer(id)[0]?.ipv4?.address)
      assert.equal(new Set(addresses).size, 10)
      await Promise.all(all.map((container, index) => stop(networks, container, ids[index] ?? '')))
      await networks.close()
      assertNothingLeft()
    })

    test('--bip names address and subnet; a new one applies when the bridge is not used', async () => {
      await using sandbox = await Sandbox.open()
      const first = await sandbox.openNetworks({ name: 'ctr0', bip: '10.30.7.1/20' })
      assert.match(run('ip -o -4 addr show dev ctr0'), / 10\.30\.7\.1\/20 /)
      const endpoint = await first.connect({ ...base, containerId: A, containerName: 'a' })
      assert.equal(endpoint.ipv4?.address, '10.30.0.1')
      await first.disconnect(A)
      await first[Symbol.asyncDispose]()
      const second = await sandbox.openNetworks({ name: 'ctr0', bip: '10.31.0.1/24' })
      assert.match(run('ip -o -4 addr show dev ctr0'), / 10\.31\.0\.1\/24 /)
      assert.doesNotMatch(run('ip -o -4 addr show dev ctr0'), /10\.30/)
      await second.close()
      await assert.rejects(
        sandbox.openNetworks({ name: 'ctr0', bip: '10.31.0.0/24' }),
        /--bip 10\.31\.0\.0\/24/,
      )
      assertNothingLeft()
    })

    test('a bridge that somebody else made is used with its address and left alone', async () => {
      await using sandbox = await Sandbox.open()
      run(
        'ip link add mine0 type bridge && ip addr add 10.44.0.1/24 dev mine0 && ip link set mine0 up',
      )
      const networks = await sandbox.openNetworks({ name: 'mine0' })
      const a = await start(sandbox, networks, A)
      assert.match(a.run('ip -o -4 addr show dev eth0'), /10\.44\.0\.2\/24/)
      a.run('busybox ping -c1 -W2 10.44.0.1')
      await stop(networks, a, A)
      await networks.close()
      assert.match(run('ip -o -4 addr show dev mine0'), /10\.44\.0\.1\/24/)
      run('ip link delete mine0')
      assertNothingLeft()
    })

    test('the link of another ctrd is left to it', async () => {
      await using sandbox = await Sandbox.open()
      run('ip link add ctr0 type bridge && ip link set ctr0 alias "ctr somebody"')
      const networks = await sandbox.openNetworks()
      assert.equal(networks.get('bridge').bridge, 'ctr1')
      await networks.close()
      run('ip link delete ctr0')
      assertNothingLeft()
    })

    test('forwarding is switched on', async () => {
      await using sandbox = await Sandbox.open()
      await (await sandbox.openNetworks()).close()
      assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '1')
    })
  })
}

async function start(
  sandbox: Sandbox,
  networks: Networks,
  containerId: string,
  options: Partial<Parameters<Networks['connect']>[0]> = {},
  command: readonly string[] = ['sleep', '600'],
): Promise<Container> {
  const endpoint = await networks.connect({
    ...base,
    containerId,
    containerName: containerId.slice(0, 4),
    ...options,
  })
  return await sandbox.startContainer([endpoint], command)
}

/** Another program that has the port. */
async function listen(port: number): Promise<AsyncDisposable> {
  const server = createServer().listen(port, '0.0.0.0')
  await once(server, 'listening')
  return { [Symbol.asyncDispose]: async () => void server.close() }
}

async function stop(networks: Networks, container: Container, containerId: string): Promise<void> {
  await container.stop()
  await networks.disconnect(containerId)
}

/** A network namespace is taken down after its last process, in a moment of the kernel's own choosing. */
function assertNothingLeft(): void {
  const deadline = Date.now() + 120_000
  while (/veth|out0/.test(run('ip -br link')) && Date.now() < deadline) run('sleep 0.05')
  assert.match(run('ip -br link'), /^lo\s[^\n]*\n$/)
  assert.equal(run('nft list ruleset'), '')
}

function shellQuote(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'"'"'`)}'`).join(' ')
}
