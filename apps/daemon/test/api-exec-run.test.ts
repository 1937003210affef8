import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hijack, requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'
import { type RunOutput, readRun } from './run-report.ts'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  await daemon.request('POST', '/containers/create?name=host', {
    Image: 'busybox',
    Cmd: ['sleep', '1000'],
  })
  await daemon.request('POST', '/containers/host/start')
})
after(async () => await daemon?.[Symbol.asyncDispose]())

const STREAMS = { AttachStdin: true, AttachStdout: true, AttachStderr: true }

async function run(body: object, input = ''): Promise<RunOutput> {
  const socket = await hijack(daemon.socketPath, 'POST', '/containers/host/exec/run', {
    ...STREAMS,
    ...body,
  })
  socket.end(input)
  return await readRun(socket)
}

test('input, output of both streams, then how it ended', { skip }, async () => {
  const { stdout, stderr, report } = await run(
    { Cmd: ['sh', '-c', 'cat; echo err >&2; exit 3'] },
    'in',
  )
  assert.deepEqual([stdout, stderr, report], ['in', 'err\n', { Exit: { StatusCode: 3 } }])
})

test('a command that cannot be run: the reason as Docker writes it, and its code', {
  skip,
}, async () => {
  const { stdout, report } = await run({ Cmd: ['nonesuch'] })
  assert.match(stdout, /exec: "nonesuch": executable file not found/)
  assert.deepEqual(report, { Exit: { StatusCode: 127 } })
})

test('refused before anything is made', { skip }, async () => {
  await assert.rejects(run({ Cmd: ['true'], Tty: true }), /got 400/)
  const held = '/containers/host/exec/run?hold=1'
  const body = { ...STREAMS, Cmd: ['true'] }
  assert.equal((await daemon.request('POST', held, body)).status, 400)
  await assert.rejects(run({ Cmd: [] }), /got 400/)
  const { text } = await daemon.request('GET', '/exec/json?all=1')
  assert.equal(JSON.parse(text).length, 2)
})

for (const [hold, fate] of [
  [1, 'is hung up'],
  [0, 'goes on'],
] as const) {
  test(`hold=${hold}: without its client it ${fate}`, { skip }, async () => {
    const path = `/containers/host/exec/run?hold=${hold}`
    const socket = await hijack(daemon.socketPath, 'POST', path, {
      AttachStdout: true,
      Cmd: ['sh', '-c', 'echo runs; exec sleep 500'],
    })
    await new Promise((resolve) => socket.once('data', resolve))
    const running = async (): Promise<{ ID: string }[]> =>
      JSON.parse((await daemon.request('GET', '/exec/json')).text)
    const [exec, ...others] = await running()
    assert.deepEqual([exec === undefined, others.length], [false, 0])
    socket.destroy()
    if (hold === 1) {
      await waitFor('its end', async () => (await running()).length === 0)
      return
    }
    // The daemon has heard of the end of that connection before it answers what it was asked later.
    for (let i = 0; i < 20; i++) assert.equal((await running()).length, 1)
    await daemon.request('POST', `/exec/${exec?.ID}/kill?signal=KILL`)
    await waitFor('its end', async () => (await running()).length === 0)
  })
}
