import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { hijack, requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'
import { type RunOutput, readRun } from './run-report.ts'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

interface Run extends RunOutput {
  readonly name: string
}

let names = 0
async function run(body: object, input = '', query = ''): Promise<Run> {
  names += 1
  const name = `run-${names}`
  const socket = await hijack(daemon.socketPath, 'POST', `/containers/run?name=${name}${query}`, {
    Image: 'busybox',
    AttachStdout: true,
    AttachStderr: true,
    ...body,
  })
  socket.end(input)
  return { name, ...(await readRun(socket)) }
}

test('output of both streams, then how it ended', { skip }, async () => {
  const { name, stdout, stderr, report } = await run({
    Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
  })
  assert.deepEqual([stdout, stderr, report], ['out\n', 'err\n', { Exit: { StatusCode: 3 } }])
  const { text } = await daemon.request('GET', `/containers/${name}/json`)
  assert.equal(JSON.parse(text).State.ExitCode, 3)
})

test('with AutoRemove the report comes after the removal', { skip }, async () => {
  const { name, report } = await run({ Cmd: ['true'], HostConfig: { AutoRemove: true } })
  assert.deepEqual(report, { Exit: { StatusCode: 0 } })
  assert.equal((await daemon.request('GET', `/containers/${name}/json`)).status, 404)
})

test('the report tells when its phases were over, if asked', { skip }, async () => {
  const startedUs = Date.now() * 1000 - 1000
  const body = { Cmd: ['sh', '-c', 'echo hi; sleep 0.2'], HostConfig: { AutoRemove: true } }
  const { Phases = [] } = (await run(body, '', '&timing=1')).report
  const names = [
    'request',
    'image',
    'record',
    'network',
    'program',
    'shim',
    'first byte',
    'exit',
    'removal',
  ]
  assert.deepEqual(
    Phases.map(({ Name }) => Name),
    names,
  )
  const times = Phases.map(({ AtUs }) => AtUs)
  const sorted = times.toSorted((a, b) => a - b)
  assert.deepEqual(times, sorted)
  assert.ok(startedUs <= (times[0] ?? 0) && (times.at(-1) ?? 0) <= Date.now() * 1000 + 1000)
})

test('input up to its end', { skip }, async () => {
  const { stdout } = await run(
    { Cmd: ['cat'], AttachStdin: true, OpenStdin: true, StdinOnce: true },
    'all of it',
  )
  assert.equal(stdout, 'all of it')
})

test('without any stream the report comes all the same', { skip }, async () => {
  const { stdout, report } = await run({
    Cmd: ['sh', '-c', 'echo unseen; exit 4'],
    AttachStdout: false,
    AttachStderr: false,
  })
  assert.deepEqual([stdout, report], ['', { Exit: { StatusCode: 4 } }])
})

test('attach and exec without any stream end at once, and the exec runs', { skip }, async () => {
  const body = { Image: 'busybox', Cmd: ['sleep', '1000'] }
  await daemon.request('POST', '/containers/create?name=silent', body)
  await daemon.request('POST', '/containers/silent/start')
  const attached = await hijack(daemon.socketPath, 'POST', '/containers/silent/attach?stream=1')
  assert.equal(await allOf(attached), '')
  const made = await daemon.request('POST', '/containers/silent/exec', { Cmd: ['true'] })
  const { Id } = JSON.parse(made.text)
  assert.equal(await allOf(await hijack(daemon.socketPath, 'POST', `/exec/${Id}/start`, {})), '')
  const { text } = await daemon.request('POST', `/exec/${Id}/wait`)
  assert.equal(JSON.parse(text).StatusCode, 0)
  await daemon.request('DELETE', '/containers/silent?force=1')
})

async function allOf(socket: Socket): Promise<string> {
  socket.end()
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

test('a failed start is reported as its answer would have been', { skip }, async () => {
  const kept = await run({ Cmd: ['/nonesuch'] })
  assert.equal(kept.report.Failure?.Status, 400)
  assert.match(kept.report.Failure?.Message ?? '', /no such file or directory/)
  assert.equal((await daemon.request('GET', `/containers/${kept.name}/json`)).status, 200)
  const removed = await run({ Cmd: ['/nonesuch'], HostConfig: { AutoRemove: true } })
  assert.equal((await daemon.request('GET', `/containers/${removed.name}/json`)).status, 404)
})

test('what cannot be created is refused before anything is made', { skip }, async () => {
  const count = async (): Promise<number> =>
    JSON.parse((await daemon.request('GET', '/containers/json?all=1')).text).length
  const before = await count()
  await assert.rejects(run({ Image: 'nonesuch' }), /got 404/)
  await assert.rejects(run({ Tty: true }), /got 400/)
  assert.equal(await count(), before)
})

test('a client that goes leaves the container running', { skip }, async () => {
  const body = { Image: 'busybox', AttachStdout: true, Cmd: ['sleep', '1000'] }
  const path = '/containers/run?name=left'
  const socket = await hijack(daemon.socketPath, 'POST', path, body)
  socket.destroy()
  // The start is under way or done; this waits for it in the container's queue.
  const { status } = await daemon.request('POST', '/containers/left/start')
  assert.ok(status === 304 || status === 204)
  const { text } = await daemon.request('GET', '/containers/left/json')
  assert.equal(JSON.parse(text).State.Running, true)
  await daemon.request('DELETE', '/containers/left?force=1')
})

const MUCH_OUTPUT = ['sh', '-c', 'head -c 8000000 /dev/zero']

test('output of a run whose client has gone at once stops nothing', { skip }, async () => {
  await askAndGo('/containers/run?name=gone', {
    Image: 'busybox',
    AttachStdout: true,
    Cmd: MUCH_OUTPUT,
  })
  await waitFor('the container', async () => {
    const { status, text } = await daemon.request('GET', '/containers/gone/json')
    return status === 200 && JSON.parse(text).State.Status !== 'created'
  })
  const { text } = await daemon.request('POST', '/containers/gone/wait')
  assert.equal(JSON.parse(text).StatusCode, 0)
})

test('output of an exec whose client has gone at once stops nothing', { skip }, async () => {
  const body = { Image: 'busybox', Cmd: ['sleep', '1000'] }
  await daemon.request('POST', '/containers/create?name=host', body)
  await daemon.request('POST', '/containers/host/start')
  const made = await daemon.request('POST', '/containers/host/exec', {
    AttachStdout: true,
    Cmd: MUCH_OUTPUT,
  })
  const { Id } = JSON.parse(made.text)
  const ended = daemon.request('POST', `/exec/${Id}/wait`)
  await askAndGo(`/exec/${Id}/start`, {})
  assert.equal(JSON.parse((await ended).text).StatusCode, 0)
  await daemon.request('DELETE', '/containers/host?force=1')
})

test('a client that goes while it is sent the past stops nothing', { skip }, async () => {
  const script =
    'head -c 3000000 /dev/zero; until test -e /go; do sleep 0.1; done; head -c 8000000 /dev/zero'
  const body = { Image: 'busybox', Cmd: ['sh', '-c', script] }
  await daemon.request('POST', '/containers/create?name=past', body)
  await daemon.request('POST', '/containers/past/start')
  const query = 'logs=1&stream=1&stdout=1'
  const socket = await hijack(daemon.socketPath, 'POST', `/containers/past/attach?${query}`)
  await once(socket, 'readable')
  socket.destroy()
  await daemon.ctr(['exec', 'past', 'touch', '/go'])
  const { text } = await daemon.request('POST', '/containers/past/wait')
  assert.equal(JSON.parse(text).StatusCode, 0)
})

/** Gone before the answer. */
async function askAndGo(path: string, body: object): Promise<void> {
  const json = JSON.stringify(body)
  const socket = connect(daemon.socketPath)
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`
  const type = `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n`
  await new Promise<void>((resolve) => socket.write(`${head}${type}${json}`, () => resolve()))
  socket.destroy()
}
