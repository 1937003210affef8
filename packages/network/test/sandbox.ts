import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Program, type ShimConnection, Spawner } from '@ctr/shim'
import { openStore, type Store } from '@ctr/store'
import {
  type EndpointPlan,
  type ForwardChanges,
  mappedAddress,
  NETWORK_DEFAULTS,
  type NetworkDefaults,
  type Networks,
  openNetworks,
  type PublishedPort,
  type RefusedPort,
  type Target,
  type WantedBridge,
} from '../src/index.ts'

const MARK = 'CTR_TEST_OWN_NETNS'

/**
 * Runs the test file once more in a network namespace of its own, where bridges, rules and sysctls are nobody else's and
 * vanish with the process, and a pid namespace, so that containers end with a test that is killed. Returns true inside. Needs root.
 */
export function isInOwnNetns(file: string): boolean {
  if (process.env[MARK] === '1') return true
  const env: NodeJS.ProcessEnv = { ...process.env, [MARK]: '1' }
  delete env['NODE_TEST_CONTEXT']
  // /sys shows the network namespace of who mounted it.
  const script = 'mount -t sysfs sysfs /sys && ip link set lo up && exec "$0" "$1"'
  const args = [
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    script,
    process.execPath,
    file,
  ]
  const { status } = spawnSync('unshare', args, { env, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
  return false
}

/** The host's side of a test: a spawner, a database, and what runs in other network namespaces. */
export class Sandbox {
  readonly directory: string
  readonly store: Store
  readonly spawner: Spawner
  readonly #containers: Container[] = []
  /** What the kernel tells a daemon about the firewall. */
  onRulesetLoss: () => void = () => undefined

  private constructor(directory: string, spawner: Spawner) {
    this.directory = directory
    this.spawner = spawner
    this.store = openStore(join(directory, 'ctr.db'))
  }

  static async open(): Promise<Sandbox> {
    const directory = mkdtempSync(join(tmpdir(), 'ctr-network-'))
    const sandbox: Sandbox = new Sandbox(
      directory,
      await Spawner.start({
        socketPath: join(directory, 'spawner.sock'),
        onRulesetLoss: () => sandbox.onRulesetLoss(),
      }),
    )
    return sandbox
  }

  /** As a daemon does at its start. The same database each time: opening again is a restart. */
  openNetworks(
    bridge: WantedBridge = { name: 'ctr0' },
    defaults: Partial<NetworkDefaults> = {},
  ): Promise<Networks> {
    return openNetworks({
      store: this.store,
      log: { info: () => undefined, warn: () => undefined },
      exec: async (program) => {
        await using _task = await this.spawner.task(program)
      },
      bridge: { kind: 'bridge', ...bridge },
      defaults: { ...NETWORK_DEFAULTS, ...defaults },
      instance: 'test',
      newId: () => randomBytes(32).toString('hex'),
    })
  }

  /** A process in a new network namespace with these endpoints, as a container's start does it. */
  async startContainer(
    endpoints: readonly EndpointPlan[],
    command: readonly string[],
  ): Promise<Container> {
    const path = join(this.directory, randomUUID())
    mkdirSync(path)
    const program: Program = [
      { op: 'runtime_dir', path },
      { op: 'stdio', flags: 0, uid: 0, gid: 0, rows: 0, columns: 0 },
      ...endpoints.flatMap((endpoint) => endpoint.forwards),
      { op: 'clone', flags: CLONE_NEWNET, cgroup: '' },
      ...endpoints.flatMap((endpoint) => endpoint.hostOps),
      ...endpoints.flatMap((endpoint) => endpoint.childOps),
      { op: 'exec', args: command, env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    ]
    const connection = await this.spawner.run(program)
    const container: Container = {
      target: {
        pid: connection.pid,
        startTime: connection.startTime,
        setForwards: (changes) => setForwards(connection, changes),
        openResolver: (port) => connection.openResolver(port),
      },
      run: (script) => inNetns(connection.pid, script),
      stop: async () => {
        await connection.signal(9)
        await connection.exited
        connection.close()
        this.#containers.splice(this.#containers.indexOf(container), 1)
      },
    }
    this.#containers.push(container)
    return container
  }

  /** A machine outside, at `192.0.2.9`, in a link with the host, `192.0.2.1`; it has no route to any container. */
  async startNeighbour(command: readonly string[] = ['sleep', '600']): Promise<Container> {
    const neighbour = await this.startContainer([], command)
    run(`ip link add out0 type veth peer name eth0 netns ${neighbour.target.pid}
      ip addr add 192.0.2.1/24 dev out0; ip -6 addr add fd00:2::1/64 dev out0 nodad; ip link set out0 up`)
    neighbour.run(
      'ip addr add 192.0.2.9/24 dev eth0; ip -6 addr add fd00:2::9/64 dev eth0 nodad; ip link set eth0 up',
    )
    return neighbour
  }

  /** Whatever a failed test has left does not disturb the next one. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.#containers.slice()) await container.stop()
    run(
      'nft flush ruleset; for link in $(ls /sys/class/net); do ip link delete $link 2>/dev/null || true; done',
    )
    await this.spawner[Symbol.asyncDispose]()
    this.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** As the engine does it. */
async function setForwards(
  connection: ShimConnection,
  { opened, closed }: ForwardChanges,
): Promise<RefusedPort | undefined> {
  const at = ({ protocol, hostIp, hostPort }: PublishedPort) =>
    ({ protocol, address: mappedAddress(hostIp), port: hostPort }) as const
  for (const port of closed) await connection.unforward(at(port))
  for (const port of opened) {
    const target = { address: mappedAddress(port.targetAddress), port: port.containerPort }
    try {
      await connection.forward(at(port), target)
    } catch (error) {
      return { port, errno: (error as NodeJS.ErrnoException).code ?? '' }
    }
  }
  return undefined
}

export interface Container {
  readonly target: Target
  /** Output of a shell script in the container's network namespace. */
  run(script: string): string
  stop(): Promise<void>
}

const CLONE_NEWNET = 0x40000000n

function inNetns(pid: number, script: string): string {
  return execute('nsenter', ['-t', `${pid}`, '-n', 'sh', '-ec', script])
}

/** Output of a shell script on the host; throws with its stderr. */
export function run(script: string): string {
  return execute('sh', ['-ec', script])
}

function execute(command: string, args: readonly string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Answers on TCP and UDP `port` with the address that it sees the client at. */
export function echoServer(port: number, listen = '::'): string[] {
  const script = `
    require('node:net').createServer((s) => s.end(s.remoteAddress.replace('::ffff:', ''))).listen(${port}, '${listen}')
    const u = require('node:dgram').createSocket(${JSON.stringify(listen.includes(':') ? 'udp6' : 'udp4')})
    u.on('message', (m, from) => u.send(from.address.replace('::ffff:', ''), from.port, from.address)).bind(${port}, '${listen}')`
  return [process.execPath, '-e', script]
}

/** What the echo server at `address` says, asked by a client in the network namespace of `from` (undefined: the host). */
export function ask(
  from: Container | undefined,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
): string {
  const script = protocol === 'tcp' ? tcpClient(address, port, 15_000) : udpClient(address, port)
  return runClient(from, script)
}

/** True when a TCP client gets no connection within a second. */
export function isClosed(from: Container | undefined, address: string, port: number): boolean {
  return runClient(from, tcpClient(address, port, 0)).startsWith('error')
}

function runClient(from: Container | undefined, script: string): string {
  const client = [process.execPath, '-e', script]
  if (from === undefined) return execute('env', client).trim()
  return execute('nsenter', ['-t', `${from.target.pid}`, '-n', ...client]).trim()
}

/** Tries again while it gets no answer, until a deadline: the server may be starting, and a listener in between hangs up. */
function tcpClient(address: string, port: number, retryMs: number): string {
  return `const end = Date.now() + ${retryMs}
    const again = (outcome) => Date.now() < end ? setTimeout(go, 50) : console.log(outcome)
    const go = () => { let text = ''; const s = require('net').connect(${port}, '${address}')
      s.setTimeout(1000, () => s.destroy(new Error('timeout')))
      s.on('data', (data) => { text += data }).on('end', () => text ? console.log(text) : again('error hung up'))
      s.on('error', (e) => again('error ' + (e.code ?? e.message))) }
    go()`
}

function udpClient(address: string, port: number): string {
  const kind = address.includes(':') ? 'udp6' : 'udp4'
  return `const s = require('dgram').createSocket('${kind}'); s.on('error', () => {}); const say = () => s.send('x', ${port}, '${address}', () => {})
    const timer = setInterval(say, 200); say(); const end = setTimeout(() => { console.log('error timeout'); process.exit() }, 15_000)
    s.on('message', (m) => { console.log(String(m)); process.exit() })`
}
