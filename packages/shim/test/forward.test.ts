import assert from 'node:assert/strict'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { hasSctp } from '@ctr/linux'
import type { ShimConnection } from '../src/index.ts'
import type { Op } from '../src/ops.ts'
import { Bench, minimalProgram } from './minimal-program.ts'

const TCP = 6
const UDP = 17
const SCTP = 132

/** Requires root: namespaces, mounts. The target is a server of the test on loopback: the way is the same. */
describe('a forwarded port', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  async function start(...forwards: Op[]): Promise<ShimConnection> {
    const runtimeDir = await bench.runtimeDir()
    return bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'], hostOps: forwards }),
    )
  }

  async function stop(connection: ShimConnection): Promise<void> {
    await connection.signal(9)
    await connection.exited
  }

  it('passes megabytes both ways, and half-closes', async () => {
    const body = randomBytes(8_000_000)
    // Answers with the digest of what it got, after end-of-file, followed by the body.
    const target = await listen((socket) => {
      const hash = createHash('sha256')
      socket.on('data', (chunk) => hash.update(chunk))
      socket.on('end', () => {
        socket.write(hash.digest())
        socket.end(body)
      })
    })
    const port = await freePort()
    const connection = await start(forward(TCP, '127.0.0.1', port, portOf(target)))
    const answers = await Promise.all([1, 2, 3].map(() => exchange(port, body)))
    for (const answer of answers) {
      assert.ok(answer.subarray(0, 32).equals(createHash('sha256').update(body).digest()))
      assert.ok(answer.subarray(32).equals(body))
    }
    await stop(connection)
    await new Promise((resolve) => target.close(resolve))
  })

  const hasIpv6 = networkInterfaces()['lo']?.some(({ address }) => address === '::1') === true
  it('works from IPv6 to IPv4', { skip: hasIpv6 ? false : 'needs ::1' }, async () => {
    const target = await listen((socket) => socket.pipe(socket))
    const port = await freePort()
    const connection = await start(forward(TCP, '::1', port, portOf(target)))
    assert.equal((await exchange(port, Buffer.from('hello'), '::1')).toString(), 'hello')
    await stop(connection)
    await new Promise((resolve) => target.close(resolve))
  })

  it('closes the client when nobody listens in the container', async () => {
    const port = await freePort()
    const closed = await freePort()
    const connection = await start(forward(TCP, '127.0.0.1', port, closed))
    assert.equal((await exchange(port, Buffer.alloc(0)).catch(() => Buffer.alloc(0))).length, 0)
    await stop(connection)
  })

  it('reserves its port: a second user fails at once, and the first undoes nothing', async () => {
    const port = await freePort()
    const connection = await start(forward(TCP, '0.0.0.0', port, 9))
    for (const address of ['0.0.0.0', '127.0.0.1']) {
      await assert.rejects(start(forward(TCP, address, port, 9)), {
        op: 'forward',
        code: 'EADDRINUSE',
        message: new RegExp(`forward tcp ${address}:${port}: bind: EADDRINUSE`),
      })
    }
    await stop(connection)
    // At EXIT the port is free again.
    const again = await start(forward(TCP, '0.0.0.0', port, 9))
    await stop(again)
  })

  it('refuses addresses that are none', async () => {
    await assert.rejects(start(forward(TCP, 'localhost', 1, 1)), {
      code: 'EINVAL',
      detail: 'address',
    })
    await assert.rejects(start(forward(TCP, '127.0.0.1', 65536, 1)), { code: 'EINVAL' })
    await assert.rejects(start(forward(1, '127.0.0.1', 1, 1)), { code: 'EINVAL' })
  })

  it('of SCTP is held where the kernel has SCTP, and costs nothing where it has none', async () => {
    const [port, later] = [await freePort(), await freePort()]
    const connection = await start(forward(SCTP, '127.0.0.1', port, 9))
    const to = { address: mapped(127, 0, 0, 1), port: 9 }
    const at = { protocol: 'sctp', address: mapped(127, 0, 0, 1), port: later } as const
    await connection.forward(at, to)
    await connection.forward(at, to)
    const again = start(forward(SCTP, '127.0.0.1', port, 9))
    if (hasSctp()) await assert.rejects(again, { op: 'forward', code: 'EADDRINUSE' })
    else await stop(await again)
    await connection.unforward(at)
    await connection.unforward({ ...at, port })
    await stop(connection)
  })

  it('leads elsewhere while the process runs, and what went through it ends', async () => {
    const [first, second] = [
      await listen((socket) => socket.write('first')),
      await listen((socket) => socket.end('second')),
    ]
    const port = await freePort()
    const connection = await start(forward(TCP, '127.0.0.1', port, portOf(first)))
    const [open, ended] = await firstBytes(port)
    assert.equal(open, 'first')
    const here = { protocol: 'tcp', address: mapped(127, 0, 0, 1), port } as const
    const target = (server: Server) => ({ address: mapped(127, 0, 0, 1), port: portOf(server) })
    await connection.forward(here, target(first)) // no change: the connection stays
    await connection.forward(here, target(second))
    await ended
    assert.equal((await exchange(port, Buffer.alloc(0))).toString(), 'second')
    await stop(connection)
    for (const server of [first, second]) server.close()
  })

  it('is published and given back while the process runs', async () => {
    const target = await listen((socket) => socket.pipe(socket))
    const [port, taken] = [await freePort(), await freePort()]
    const connection = await start(forward(TCP, '127.0.0.1', taken, 9))
    const other = await start()
    const at = (number: number, protocol: 'tcp' | 'udp' = 'tcp') =>
      ({ protocol, address: mapped(127, 0, 0, 1), port: number }) as const
    const to = { address: mapped(127, 0, 0, 1), port: portOf(target) }
    await connection.forward(at(port), to)
    await connection.forward(at(port, 'udp'), to)
    assert.equal((await exchange(port, Buffer.from('hello'))).toString(), 'hello')
    await assert.rejects(other.forward(at(port), to), { code: 'EADDRINUSE' })
    await assert.rejects(other.forward(at(port, 'udp'), to), { code: 'EADDRINUSE' })
    await assert.rejects(other.forward(at(0), to), { code: 'EINVAL' })
    await assert.rejects(other.forward(at(port), { ...to, port: 65536 }), { code: 'EINVAL' })
    await connection.unforward(at(port))
    await connection.unforward(at(port)) // again: nothing
    await other.forward(at(port), to)
    await assert.rejects(other.forward(at(taken), to), { code: 'EADDRINUSE' })
    await stop(connection)
    await other.forward(at(taken), to)
    await stop(other)
    target.close()
  })

  it('passes datagrams both ways, for several clients, from the address they asked', async () => {
    const target = createSocket('udp4')
    target.on('message', (message, from) =>
      target.send(`re:${message.toString()}`, from.port, from.address),
    )
    await new Promise<void>((resolve) => target.bind(0, '127.0.0.1', resolve))
    const port = await freePort()
    const connection = await start({
      op: 'forward',
      protocol: UDP,
      address: '0.0.0.0',
      port,
      target_address: '127.0.0.1',
      target_port: target.address().port,
    })
    const ask = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const client = createSocket('udp4')
        client.on('message', (message, from) => {
          client.close()
          if (from.address === '127.0.0.2') resolve(message.toString())
          else reject(new Error(`answered from ${from.address}`))
        })
        client.send(text, port, '127.0.0.2')
      })
    assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(ask)), ['re:a', 're:b', 're:c'])
    await stop(connection)
    target.close()
  })
})

function forward(protocol: number, address: string, port: number, targetPort: number): Op {
  return {
    op: 'forward',
    protocol,
    address,
    port,
    target_address: '127.0.0.1',
    target_port: targetPort,
  }
}

function mapped(...ipv4: number[]): Uint8Array {
  return Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ipv4])
}

/** What comes first on a connection that stays open, and its end. */
async function firstBytes(port: number): Promise<[string, Promise<unknown>]> {
  const socket = connect({ port, host: '127.0.0.1' })
  const ended = new Promise((resolve) => socket.on('close', resolve))
  const chunk: Buffer = await new Promise((resolve) => socket.once('data', resolve))
  return [chunk.toString(), ended]
}

function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true }, onConnection)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

/** Below those that the kernel gives to clients, of which any could have it before it is used. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.on('error', () => resolve(false))
      server.listen(port, '0.0.0.0', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

function exchange(port: number, body: Buffer, host = '127.0.0.1'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ port, host, allowHalfOpen: true })
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
    socket.end(body)
  })
}
