import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { waitFor } from '@ctr/testkit'
import {
  countsOn,
  criu,
  daemon,
  directory,
  skip,
  startCounter,
  useCriu,
} from './checkpoint-fixture.ts'
import { field } from './daemon-fixture.ts'

const DATAGRAMS = join(import.meta.dirname, '../apps/runtime/test/datagrams.c')

describe('checkpoint of what others are connected to', { skip }, () => {
  useCriu()

  test('a page server must be an address and a port', async () => {
    await startCounter('cc')
    for (const [server, message] of [
      ['nowhere', /Use --page-server ADDRESS:PORT to specify page server/],
      ['host:many', /Invalid port number/],
    ] as const) {
      const flags = ['--leave-running', '--page-server', server]
      const refused = await daemon.ctr(['checkpoint', 'create', ...flags, 'cc', 'xx'])
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, message)
    }
    await countsOn('cc')
  })

  for (const terminal of [[], ['-t']]) {
    test(`memory goes to a page server, the rest is beside it${terminal.length > 0 ? ', with a terminal' : ''}`, async () => {
      await startCounter('cc', ...terminal)
      // Below those that the kernel gives to clients.
      const port = String(randomInt(20_000, 30_000))
      const place = ['--images-dir', directory, '-v4', '-o', 'log']
      const server = spawn(criu ?? '', ['page-server', ...place, '--port', port], {
        stdio: 'ignore',
      })
      await waitFor('the page server', () => {
        const log = join(directory, 'log')
        return existsSync(log) && /page server/i.test(readFileSync(log, 'utf8'))
      })
      const flags = ['--checkpoint-dir', directory, '--page-server', `127.0.0.1:${port}`]
      await daemon.ok(['checkpoint', 'create', ...flags, 'cc', 'far'])
      if (server.exitCode === null) await once(server, 'exit')
      for (const name of readdirSync(directory).filter((file) => /^page.*img$/.test(file))) {
        renameSync(join(directory, name), join(directory, 'far', name))
      }
      await daemon.ok(['start', '--checkpoint-dir', directory, '--checkpoint', 'far', 'cc'])
      await countsOn('cc')
      rmSync(directory, { recursive: true })
      mkdirSync(directory)
    })
  }

  test('a socket of the host is found again with --ext-unix-sk', async () => {
    execFileSync('gcc', ['-static', '-O1', '-o', join(directory, 'datagrams'), DATAGRAMS])
    const socket = join(directory, 'socket')
    const server = spawn(join(directory, 'datagrams'), ['serve', socket], { stdio: 'ignore' })
    try {
      await waitFor('the server', () => existsSync(socket))
      const flags = ['--network', 'host', '-v', `${directory}:${directory}`]
      const program = [join(directory, 'datagrams'), 'send', socket]
      await daemon.ok(['run', '-d', '--name', 'cc', ...flags, 'busybox', ...program])
      await countsOn('cc')
      const refused = await daemon.ctr(['checkpoint', 'create', 'cc', 'xx'])
      assert.match(refused.stderr, /Consider using --ext-unix-sk option/)
      await daemon.ok(['checkpoint', 'create', '--ext-unix-sk', 'cc', 'xx'])
      await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
      await countsOn('cc')
    } finally {
      server.kill('SIGKILL')
      await daemon.ok(['rm', '-f', 'cc'])
      rmSync(directory, { recursive: true })
      mkdirSync(directory)
    }
  })

  test('a connection goes on', async () => {
    const script = 'echo ready; nc -l -p 7000 -e cat'
    await daemon.ok(['run', '-d', '--name', 'cc', 'busybox', 'sh', '-c', script])
    await waitFor('the server', async () => /ready/.test(await daemon.ok(['logs', 'cc'])))
    const address = await field(daemon, 'cc', '{{.NetworkSettings.IPAddress}}')
    const client = await connected(address, 7000)
    assert.equal(await say(client, 'before'), 'before')
    const refused = await daemon.ctr(['checkpoint', 'create', 'cc', 'xx'])
    assert.match(refused.stderr, /Cannot checkpoint container cc: criu failed: .*tcp-established/)
    await daemon.ok(['checkpoint', 'create', '--tcp-established', 'cc', 'xx'])
    await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
    await daemon.ok(['checkpoint', 'create', '--tcp-established', '--leave-running', 'cc', 'yy'])
    assert.equal(await say(client, 'between'), 'between')
    await daemon.ok(['checkpoint', 'rm', 'cc', 'xx'])
    await daemon.ok(['checkpoint', 'create', '--tcp-established', 'cc', 'xx'])
    // Sent while nobody is there.
    const answer = say(client, 'after')
    // Its address would be the next to be given away.
    await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
    assert.equal(await field(daemon, 'cc', '{{.NetworkSettings.IPAddress}}'), address)
    assert.equal(await answer, 'after')
    client.destroy()
  })
})

async function connected(host: string, port: number): Promise<Socket> {
  return await waitFor('a connection', async () => {
    const socket = connect({ host, port })
    const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
    return await promise
  })
}

/** What comes back first. */
async function say(socket: Socket, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the connection has ended')))
  socket.write(text)
  return await promise
}
