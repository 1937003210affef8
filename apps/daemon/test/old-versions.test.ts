import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'
import { WebSocket } from 'ws'

/** What requests of old versions mean, where the answer's shape does not tell (that is versions.test.ts). */
const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

async function create(version: string, name: string, body: object): Promise<void> {
  const path = `/v${version}/containers/create?name=${name}`
  const hostConfig = { NetworkMode: 'none', ...(body as { HostConfig?: object }).HostConfig }
  const { status, text } = await daemon.request('POST', path, {
    Image: 'busybox',
    ...body,
    HostConfig: hostConfig,
  })
  assert.equal(status, 201, text)
}

async function runToEnd(name: string): Promise<number> {
  assert.equal((await daemon.request('POST', `/containers/${name}/start`)).status, 204)
  const { text } = await daemon.request('POST', `/containers/${name}/wait`)
  return (JSON.parse(text) as { StatusCode: number }).StatusCode
}

/** Whether the answer has begun, and its end. */
function beginWait(path: string): { begun: Promise<unknown>; text: Promise<string> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const asked = request({ socketPath: daemon.socketPath, method: 'POST', path })
  const begun = once(asked, 'response').then(async ([answer]) => {
    let text = ''
    answer.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    answer.once('end', () => resolve(text))
  })
  asked.on('error', reject)
  asked.end()
  return { begun, text: promise }
}

test('what is mounted below a read-only bind is read-only since v1.44', { skip }, async () => {
  // /dev/shm is a mount below /dev on every host.
  const name = `ctr-old-versions-${process.pid}`
  const HostConfig = { Binds: ['/dev:/host:ro'], Mounts: [] as object[] }
  const Cmd = ['touch', `/host/shm/${name}`]
  try {
    await create('1.44', 'recursive', { Cmd, HostConfig })
    assert.equal(await runToEnd('recursive'), 1)
    assert.equal(existsSync(`/dev/shm/${name}`), false)
    await create('1.43', 'shallow', { Cmd, HostConfig })
    assert.equal(await runToEnd('shallow'), 0)
    assert.equal(existsSync(`/dev/shm/${name}`), true)
    const Mounts = [{ Type: 'bind', Source: '/dev', Target: '/host', ReadOnly: true }]
    for (const [version, code] of [
      ['1.43', 0],
      ['1.44', 1],
    ] as const) {
      await create(version, `mount-${version}`, { Cmd, HostConfig: { Mounts } })
      assert.equal(await runToEnd(`mount-${version}`), code)
    }
  } finally {
    rmSync(`/dev/shm/${name}`, { force: true })
  }
})

test('the top of a read-only bind is read-only in all versions', { skip }, async () => {
  await create('1.24', 'top', {
    Cmd: ['touch', '/host/x'],
    HostConfig: { Binds: ['/dev:/host:ro'] },
  })
  assert.equal(await runToEnd('top'), 1)
})

test('wait answers at its end until v1.29, and at once since', { skip }, async () => {
  await create('1.51', 'awaited', { Cmd: ['sleep', '1000'] })
  await daemon.request('POST', '/containers/awaited/start')
  const old = beginWait('/v1.29/containers/awaited/wait')
  const recent = beginWait('/v1.30/containers/awaited/wait')
  await recent.begun
  const early = await Promise.race([old.begun.then(() => 'begun'), Promise.resolve('silent')])
  assert.equal(early, 'silent')
  await daemon.request('POST', '/containers/awaited/kill')
  assert.equal(JSON.parse(await old.text).StatusCode, 137)
  assert.equal(JSON.parse(await recent.text).StatusCode, 137)
})

test('a wait for what has ended says the same as one that was there', { skip }, async () => {
  await create('1.51', 'ended', { Cmd: ['sleep', '1000'] })
  await create('1.51', 'refused', { Cmd: ['/nothing'] })
  for (const version of ['1.29', '1.41', '1.51']) {
    await daemon.request('POST', '/containers/ended/start')
    const before = beginWait(`/v${version}/containers/ended/wait`)
    if (version !== '1.29') await before.begun
    await daemon.request('POST', '/containers/ended/kill')
    const after = await daemon.request('POST', `/v${version}/containers/ended/wait`)
    assert.deepEqual([after.status, after.text], [200, await before.text])
  }
  assert.notEqual((await daemon.request('POST', '/containers/refused/start')).status, 204)
  const { text } = await daemon.request('POST', '/containers/refused/wait')
  assert.match((JSON.parse(text) as { Error: { Message: string } }).Error.Message, /nothing/)
})

test('wait knows no conditions until v1.29', { skip }, async () => {
  await create('1.51', 'unconditional', { Cmd: ['true'] })
  const wait = (version: string): Promise<{ status: number; text: string }> =>
    daemon.request('POST', `/v${version}/containers/unconditional/wait?condition=nope`)
  assert.equal((await wait('1.30')).status, 400)
  assert.equal((await wait('1.29')).status, 200)
})

test('a WebSocket gets text until v1.27, and all streams until v1.41', { skip }, async () => {
  for (const [version, isBinary, output] of [
    ['1.27', false, 'err\nout\n'],
    ['1.28', true, 'err\nout\n'],
    ['1.41', true, 'err\nout\n'],
    ['1.42', true, 'out\n'],
  ] as const) {
    const name = `socket-${version}`
    await create('1.51', name, { Cmd: ['sh', '-c', 'echo out; echo err >&2'] })
    const path = `/v${version}/containers/${name}/attach/ws?stream=1&stdout=1`
    const socket = new WebSocket(`ws+unix://${daemon.socketPath}:${path}`)
    await once(socket, 'open')
    const kinds = new Set<boolean>()
    let text = ''
    socket.on('message', (data: Buffer, binary: boolean) => {
      kinds.add(binary)
      text += data.toString()
    })
    const closed = once(socket, 'close')
    await daemon.request('POST', `/containers/${name}/start`)
    await closed
    await waitFor('both lines', () => (text.length === output.length ? true : undefined))
    assert.equal(text.split('\n').filter(Boolean).toSorted().join('\n'), output.trim(), version)
    assert.deepEqual([...kinds], [isBinary], version)
  }
})
