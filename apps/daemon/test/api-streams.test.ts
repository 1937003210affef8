import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type EventMessage, FrameDecoder, STDERR, STDOUT } from '@ctr/api'
import { hijack, requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'
import { WebSocket } from 'ws'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

let names = 0
async function create(body: object): Promise<string> {
  names += 1
  const name = `s${names}-test`
  const answer = await daemon.request('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    ...body,
  })
  assert.equal(answer.status, 201, answer.text)
  return name
}

async function start(name: string): Promise<void> {
  const { status, text } = await daemon.request('POST', `/containers/${name}/start`)
  assert.equal(status, 204, text)
}

async function createExec(name: string, body: object): Promise<string> {
  const { status, text } = await daemon.request('POST', `/containers/${name}/exec`, body)
  assert.equal(status, 201, text)
  return JSON.parse(text).Id
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Both streams of multiplexed bytes. */
function split(bytes: Buffer): { stdout: string; stderr: string } {
  const decoder = new FrameDecoder()
  const frames = decoder.push(bytes)
  assert.equal(decoder.pendingBytes, 0)
  const text = (stream: number): string =>
    Buffer.concat(frames.filter((f) => f.stream === stream).map((f) => f.payload)).toString()
  return { stdout: text(STDOUT), stderr: text(STDERR) }
}

function webSocket(path: string): WebSocket {
  return new WebSocket(`ws+unix://${daemon.socketPath}:${path}`)
}

/** Everything that a WebSocket says until it is closed. */
async function hear(socket: WebSocket): Promise<{ text: string; code: number }> {
  const chunks: Buffer[] = []
  socket.on('message', (data: Buffer) => chunks.push(data))
  const [code] = await once(socket, 'close')
  return { text: Buffer.concat(chunks).toString(), code }
}

const ATTACH = 'stream=1&stdin=1&stdout=1&stderr=1'

test('attach before start: input, both outputs, end of input, exit', { skip }, async () => {
  const name = await create({
    Cmd: ['sh', '-c', 'cat; echo done; echo bad >&2; exit 4'],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
  })
  const socket = await hijack(daemon.socketPath, 'POST', `/containers/${name}/attach?${ATTACH}`)
  const waiting = daemon.request('POST', `/containers/${name}/wait?condition=next-exit`)
  await start(name)
  const input = Buffer.alloc(300_000, 'line of text\n')
  socket.end(input)
  const { stdout, stderr } = split(await readAll(socket))
  assert.equal(stdout, `${input.toString()}done\n`)
  assert.equal(stderr, 'bad\n')
  assert.equal(JSON.parse((await waiting).text).StatusCode, 4)
})

test('detach keys leave a terminal, and it can be joined again', { skip }, async () => {
  const name = await create({ Cmd: ['sh'], Tty: true, OpenStdin: true })
  const path = `/containers/${name}/attach?${ATTACH}&detachKeys=ctrl-a,x`
  const socket = await hijack(daemon.socketPath, 'POST', path)
  await start(name)
  socket.write('echo $((6*7))\n')
  await readUntil(socket, '42')
  socket.write('\x01x')
  await readAll(socket)
  assert.equal(
    JSON.parse((await daemon.request('GET', `/containers/${name}/json`)).text).State.Running,
    true,
  )
  const again = await hijack(daemon.socketPath, 'POST', `/containers/${name}/attach?${ATTACH}`)
  again.write('exit 9\n')
  await readAll(again)
  const wait = await daemon.request('POST', `/containers/${name}/wait`)
  assert.equal(JSON.parse(wait.text).StatusCode, 9)
})

test('a terminal has its size before the program runs', { skip }, async () => {
  const name = await create({
    Cmd: ['stty', 'size'],
    Tty: true,
    HostConfig: { ConsoleSize: [33, 101] },
  })
  const socket = await hijack(
    daemon.socketPath,
    'POST',
    `/containers/${name}/attach?stream=1&stdout=1`,
  )
  await start(name)
  assert.equal((await readAll(socket)).toString(), '33 101\r\n')
})

test('exec: streams, exit code, inspect', { skip }, async () => {
  const name = await create({ Cmd: ['sleep', '1000'] })
  await start(name)
  const id = await createExec(name, {
    Cmd: ['sh', '-c', 'read line; echo "got $line"; echo no >&2; exit 7'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const socket = await hijack(daemon.socketPath, 'POST', `/exec/${id}/start`, {})
  socket.end('word\n')
  assert.deepEqual(split(await readAll(socket)), { stdout: 'got word\n', stderr: 'no\n' })
  await waitFor('the exit code', async () => {
    const exec = JSON.parse((await daemon.request('GET', `/exec/${id}/json`)).text)
    return exec.Running === false && exec.ExitCode === 7
  })
  assert.equal((await daemon.request('POST', `/exec/${id}/start`, {})).status, 409)
})

test('exec of what is not there says so in the stream', { skip }, async () => {
  const name = await create({ Cmd: ['sleep', '1000'] })
  await start(name)
  const id = await createExec(name, { Cmd: ['nosuch'], AttachStdout: true, AttachStderr: true })
  const socket = await hijack(daemon.socketPath, 'POST', `/exec/${id}/start`, {})
  const { stdout } = split(await readAll(socket))
  assert.match(stdout, /exec: "nosuch": executable file not found in \$PATH: unknown\r\n$/)
  const exec = JSON.parse((await daemon.request('GET', `/exec/${id}/json`)).text)
  assert.equal(exec.ExitCode, 127)
})

test('an old client without upgrade may attach, too', { skip }, async () => {
  const name = await create({ Cmd: ['echo', 'plain'] })
  await start(name)
  await daemon.request('POST', `/containers/${name}/wait`)
  const answer = await daemon.request('POST', `/v1.24/containers/${name}/attach?logs=1&stdout=1`)
  assert.equal(answer.headers['content-type'], 'application/vnd.docker.raw-stream')
  assert.deepEqual(split(answer.bytes), { stdout: 'plain\n', stderr: '' })
})

test('logs: both streams, tail, timestamps, follow', { skip }, async () => {
  const name = await create({
    Cmd: ['sh', '-c', 'for i in 1 2 3; do echo $i; done; echo e >&2; sleep 1; echo late'],
  })
  await start(name)
  const follow = daemon.request('GET', `/containers/${name}/logs?follow=1&stdout=1&stderr=1`)
  const followed = await follow
  assert.equal(followed.headers['content-type'], 'application/vnd.docker.multiplexed-stream')
  assert.deepEqual(split(followed.bytes), { stdout: '1\n2\n3\nlate\n', stderr: 'e\n' })
  const tail = await daemon.request('GET', `/containers/${name}/logs?stdout=1&tail=2`)
  assert.ok(split(tail.bytes).stdout.endsWith('late\n'))
  const stamped = await daemon.request('GET', `/containers/${name}/logs?stderr=1&timestamps=1`)
  assert.match(split(stamped.bytes).stderr, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z e\n$/)
  const none = await daemon.request('GET', `/containers/${name}/logs`)
  assert.equal(none.status, 400)
})

test('wait sends its headers before the container has ended', { skip }, async () => {
  const name = await create({ Cmd: ['sleep', '1000'] })
  await start(name)
  const outgoing = request({
    socketPath: daemon.socketPath,
    method: 'POST',
    path: `/containers/${name}/wait`,
  })
  outgoing.end()
  const [incoming] = await once(outgoing, 'response')
  assert.equal(incoming.statusCode, 200)
  await daemon.request('POST', `/containers/${name}/kill`)
  const answer = JSON.parse((await readAll(incoming)).toString())
  assert.equal(answer.StatusCode, 137)
  assert.equal((await daemon.request('POST', '/containers/nosuch/wait')).status, 404)
})

test('events: history first, then live, with exact times', { skip }, async () => {
  const name = await create({ Cmd: ['true'], Labels: { watched: 'yes' } })
  const filters = encodeURIComponent('{"label":["watched=yes"],"type":["container"]}')
  const outgoing = request({
    socketPath: daemon.socketPath,
    path: `/events?since=1h&filters=${filters}`,
  })
  outgoing.end()
  const [incoming] = await once(outgoing, 'response')
  await start(name)
  let text = ''
  for await (const chunk of incoming) {
    text += chunk
    if (text.includes('"Action":"die"')) break
  }
  const lines = text.trim().split('\r\n')
  const events = lines.map((line) => JSON.parse(line) as EventMessage)
  assert.deepEqual(
    events.map(({ Action }) => Action),
    ['create', 'start', 'die'],
  )
  assert.equal(events[2]?.Actor.Attributes['exitCode'], '0')
  assert.equal(events[0]?.status, 'create')
  for (const line of lines) assert.match(line, /"timeNano":\d{19}[,}]/)
})

test('a WebSocket attaches to a shell without frames', { skip }, async () => {
  const name = await create({ Cmd: ['sh'], OpenStdin: true })
  const socket = webSocket(`/containers/${name}/attach/ws?${ATTACH}`)
  await once(socket, 'open')
  const heard = hear(socket)
  await start(name)
  socket.send('echo out; echo err >&2; exit 3\n')
  const { text, code } = await heard
  assert.deepEqual(text.trim().split('\n').sort(), ['err', 'out'])
  assert.equal(code, 1000)
})

test('exec, logs, stats and events come over WebSockets', { skip }, async () => {
  const name = await create({ Cmd: ['sh', '-c', 'echo hello; sleep 1000'] })
  await start(name)
  const id = await createExec(name, { Cmd: ['stty', 'size'], AttachStdout: true, Tty: true })
  assert.equal((await hear(webSocket(`/exec/${id}/start?h=30&w=90`))).text, '30 90\r\n')

  const logs = webSocket(`/containers/${name}/logs?stdout=1&follow=1`)
  const [line] = await once(logs, 'message')
  assert.equal(line.toString(), 'hello\n')
  logs.close()

  const stats = webSocket(`/containers/${name}/stats`)
  const [sample] = await once(stats, 'message')
  assert.equal(JSON.parse(sample.toString()).name, `/${name}`)
  stats.close()

  const since = webSocket(
    `/events?since=1h&until=0s&filters=${encodeURIComponent(`{"container":["${name}"]}`)}`,
  )
  assert.match((await hear(since)).text, /"Action":"create"/)

  const refused = webSocket('/containers/nosuch/attach/ws')
  const [error] = await once(refused, 'error')
  assert.match(error.message, /404/)
  const plain = async (id: string): Promise<number> =>
    (await daemon.request('GET', `/containers/${id}/attach/ws`)).status
  assert.deepEqual([await plain('nosuch'), await plain(name)], [404, 400])
})

test('clients that vanish in the middle of streams harm nobody', { skip }, async () => {
  const name = await create({
    Cmd: ['sh', '-c', 'while true; do echo xxxxxxxxxxxxxxxx; done'],
    OpenStdin: true,
  })
  await start(name)
  for (let round = 0; round < 5; round += 1) {
    const attached = await hijack(daemon.socketPath, 'POST', `/containers/${name}/attach?${ATTACH}`)
    await once(attached, 'data')
    attached.destroy()
    const logs = webSocket(`/containers/${name}/logs?stdout=1&follow=1`)
    await once(logs, 'message')
    logs.terminate()
    const http = request({
      socketPath: daemon.socketPath,
      path: `/containers/${name}/logs?stdout=1&follow=1`,
    })
    http.on('error', () => undefined)
    http.end()
    const [incoming] = await once(http, 'response')
    incoming.on('error', () => undefined)
    incoming.resume()
    await once(incoming, 'data')
    http.destroy()
  }
  assert.equal((await daemon.request('GET', '/_ping')).status, 200)
  assert.equal((await daemon.request('POST', `/containers/${name}/kill`)).status, 204)
  assert.doesNotMatch(daemon.log, /uncaught exception|unhandled rejection/)
})

test('attach, exec and logs work on what a killed daemon left running', { skip }, async () => {
  const name = await create({
    Cmd: ['sh', '-c', 'trap "exit 5" TERM; while true; do echo tick; sleep 0.1; done'],
  })
  await start(name)
  const pid = async (): Promise<number> =>
    JSON.parse((await daemon.request('GET', `/containers/${name}/json`)).text).State.Pid
  const pidBefore = await pid()
  await daemon.kill9()
  await daemon.restart()
  assert.equal(await pid(), pidBefore)
  const socket = await hijack(
    daemon.socketPath,
    'POST',
    `/containers/${name}/attach?stream=1&stdout=1`,
  )
  await readUntil(socket, 'tick')
  socket.destroy()
  const id = await createExec(name, { Cmd: ['echo', 'alive'], AttachStdout: true })
  const exec = await hijack(daemon.socketPath, 'POST', `/exec/${id}/start`, {})
  assert.equal(split(await readAll(exec)).stdout, 'alive\n')
  await daemon.request('POST', `/containers/${name}/stop?t=5`)
  const { State } = JSON.parse((await daemon.request('GET', `/containers/${name}/json`)).text)
  assert.equal(State.ExitCode, 5)
})

async function readUntil(socket: Socket, text: string): Promise<string> {
  let seen = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen += chunk.toString('latin1')
    if (seen.includes(text)) break
  }
  return seen
}
