import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer as whole } from 'node:stream/consumers'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectUnix } from './connect.ts'
import type { ShimSocket } from './shim-socket.ts'

const MIB = 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'ctr-shim-socket-'))
after(() => rmSync(folder, { recursive: true }))

describe('a connection to a shim', () => {
  it('gives what was said as a stream, however it comes', async () => {
    await using t = await open()
    const said = randomBytes(3 * MIB)
    const heard = whole(t.socket)
    for (let at = 0, length = 1; at < said.length; at += length, length = (length * 3) % 100_003)
      t.shim.write(said.subarray(at, at + length))
    t.shim.end()
    assert.equal(hash(await heard), hash(said))
  })

  it('is poured into a socket whose reader is slow, with what had come before', async () => {
    await using t = await open()
    const said = randomBytes(8 * MIB)
    t.shim.write(said.subarray(0, 100_000))
    await once(t.socket, 'readable')
    t.shim.end(said.subarray(100_000))
    const { client, peer } = await t.client()
    t.socket.pipe(client)
    const heard: Buffer[] = []
    for await (const bytes of peer as AsyncIterable<Buffer>) {
      heard.push(bytes)
      await delay(1)
    }
    assert.equal(hash(Buffer.concat(heard)), hash(said))
    assert.ok(client.writableLength === 0)
  })

  it('holds no more for a reader that has stopped than two buffers', async () => {
    await using t = await open()
    const { client, peer } = await t.client()
    peer.pause()
    t.socket.pipe(client)
    t.shim.write(Buffer.alloc(16 * MIB))
    let held = -1
    while (held !== t.shim.writableLength) {
      held = t.shim.writableLength
      await delay(50)
    }
    assert.ok(held > 8 * MIB, `${held} bytes have not gone`)
    assert.ok(client.writableLength <= 128 * 1024, `${client.writableLength} bytes are held`)
    peer.resume()
    await once(t.shim, 'drain')
  })

  it('is read by nobody after `unpipe`, and flows on when it shall', async () => {
    await using t = await open()
    const { client, peer } = await t.client()
    t.socket.pipe(client)
    t.shim.write('one')
    await once(peer, 'data')
    t.socket.unpipe()
    t.socket.resume()
    const ended = once(t.socket, 'end')
    t.shim.end('two')
    await ended
    client.end()
    assert.equal(await text(peer), '')
  })

  it('ends the other socket after an end without a word, also an early one', async () => {
    for (const isEarly of [false, true]) {
      await using t = await open()
      const { client, peer } = await t.client()
      if (isEarly) {
        t.socket.resume()
        t.shim.end()
        await once(t.socket, 'end')
        t.socket.pipe(client)
      } else {
        t.socket.pipe(client)
        t.shim.end()
      }
      assert.equal(await text(peer), '')
    }
  })
})

interface Opened extends AsyncDisposable {
  readonly shim: Socket
  readonly socket: ShimSocket
  client(): Promise<{ readonly client: Socket; readonly peer: Socket }>
}

let count = 0

async function open(): Promise<Opened> {
  const path = join(folder, `${(count += 1)}`)
  const server = createServer({ allowHalfOpen: true })
  server.listen(path)
  await once(server, 'listening')
  const sockets: Socket[] = []
  const [shim, socket] = await Promise.all([accepted(server), connectUnix(path)])
  sockets.push(socket, shim)
  return {
    shim,
    socket,
    client: async () => {
      const peer = connect({ path, allowHalfOpen: true })
      const client = await accepted(server)
      sockets.push(peer, client)
      return { client, peer }
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of sockets) each.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function accepted(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket]
  return socket
}

async function text(socket: Socket): Promise<string> {
  return (await whole(socket)).toString()
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
