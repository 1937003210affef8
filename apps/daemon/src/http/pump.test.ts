import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { encodeFrame, STDERR, STDOUT } from '@ctr/api'
import { socketPair, unixSocketPair } from '@ctr/testkit'
import { type PumpOptions, pump } from './pump.ts'

const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

async function openedPair(): Promise<[Socket, Socket]> {
  const pair = await socketPair()
  opened.push(...pair)
  return pair
}

interface Scene {
  /** What the user holds. */
  readonly user: Socket
  /** What the process holds. */
  readonly program: Socket
  readonly outcome: Promise<'ended' | 'detached'>
}

async function scene(o: Omit<PumpOptions, 'client' | 'process'>): Promise<Scene> {
  const [user, client] = await openedPair()
  const [process, program] = await openedPair()
  return { user, program, outcome: pump({ client, process, ...o }) }
}

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

test('bytes go both ways, and the end of input leaves output open', async () => {
  const { user, program, outcome } = await scene({ stdin: true })
  user.end('question')
  assert.equal(await readAll(program), 'question')
  program.end('answer')
  assert.equal(await readAll(user), 'answer')
  assert.equal(await outcome, 'ended')
})

test('input that has ended before the process was there ends for the process, too', async () => {
  const [user, client] = await openedPair()
  const [process, program] = await openedPair()
  user.end()
  // As the server's: nobody listens while the process is being started.
  client.read(0)
  await once(client, 'end')
  const outcome = pump({ client, process, stdin: true })
  assert.equal(await readAll(program), '')
  program.end('answer')
  assert.equal(await readAll(user), 'answer')
  assert.equal(await outcome, 'ended')
})

test('output that has ended before there was a client is followed by the epilogue', async () => {
  for (const isClosed of [false, true]) {
    const [user, client] = await openedPair()
    const [process, program] = await openedPair()
    program.end()
    process.read(0)
    await once(process, 'end')
    if (isClosed) {
      process.destroy()
      await once(process, 'close')
    }
    const epilogue = () => Promise.resolve(Buffer.from('last words'))
    const outcome = pump({ client, process, stdin: false, epilogue })
    assert.equal(await readAll(user), 'last words')
    user.end()
    assert.equal(await outcome, 'ended')
  }
})

test('the detach keys end the attachment, not the input', async () => {
  const { user, program, outcome } = await scene({ stdin: true, detachKeys: [16, 17] })
  user.write('ls\n\x10\x11never')
  program.on('error', () => undefined)
  assert.equal(await readAll(program).catch(() => 'ls\n'), 'ls\n')
  assert.equal(await readAll(user), '')
  user.destroy()
  assert.equal(await outcome, 'detached')
})

test('without stdin the user is not heard', async () => {
  const { user, program, outcome } = await scene({ stdin: false })
  user.end('ignored')
  program.end('output')
  assert.equal(await readAll(user), 'output')
  assert.equal(await readAll(program), '')
  assert.equal(await outcome, 'ended')
})

test('frames are taken off, also when they arrive in pieces', async () => {
  const { user, program } = await scene({ stdin: false, unframe: true })
  const bytes = Buffer.concat([
    encodeFrame(STDOUT, Buffer.from('out')),
    encodeFrame(STDERR, Buffer.from('err')),
  ])
  program.write(bytes.subarray(0, 5))
  program.end(bytes.subarray(5))
  user.end()
  assert.equal(await readAll(user), 'outerr')
})

test('a user that vanishes ends the input of the process, and nothing hangs', async () => {
  const { user, program, outcome } = await scene({ stdin: true })
  user.write('last words')
  await once(program, 'data')
  program.resume()
  user.resetAndDestroy()
  await once(program, 'end')
  program.end()
  assert.equal(await outcome, 'ended')
})

test('a user that vanishes beside a silent process is not waited for', async () => {
  for (const stdin of [true, false]) {
    const [user, client] = await unixSocketPair()
    const [process, program] = await openedPair()
    opened.push(user, client)
    const outcome = pump({ client, process, stdin })
    user.write('last words')
    const heard = stdin ? once(program, 'data') : undefined
    user.destroy()
    assert.equal(await outcome, 'ended')
    assert.equal(String((await heard) ?? ''), stdin ? 'last words' : '')
  }
})

test('a user that has said that it sends no more is not waited for, either, when it has vanished', async () => {
  const [user, client] = await unixSocketPair()
  const [process, program] = await openedPair()
  opened.push(user, client)
  const outcome = pump({ client, process, stdin: false })
  user.end()
  await once(client, 'end')
  program.write('output')
  assert.equal(String(await once(user, 'data')), 'output')
  user.destroy()
  assert.equal(await outcome, 'ended')
})

test('a large output arrives whole at a slow user', async () => {
  const { user, program } = await scene({ stdin: true })
  const size = 8 * 1024 * 1024
  program.end(Buffer.alloc(size, 'x'))
  let received = 0
  for await (const chunk of user) {
    received += chunk.byteLength
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(received, size)
})
