import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import type { Log } from '../log.ts'
import { EarlySockets } from './early.ts'

const directory = mkdtempSync('/tmp/ctr-early-')
after(() => rmSync(directory, { recursive: true, force: true }))
const log = { info: () => undefined } as unknown as Log
const group = { name: 'no-such-group', isRequired: false }

async function openAt(name: string): Promise<{ path: string; early: EarlySockets }> {
  const path = join(directory, name)
  return { path, early: await EarlySockets.open([{ kind: 'unix', path }], group, log) }
}

/** Resolves when the connection stands; `answer` when it has been served. */
async function ask(path: string, method = 'GET'): Promise<{ answer: Promise<string> }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const connected = Promise.withResolvers<void>()
  const call = request({ socketPath: path, path: '/_ping', method }, (response) => {
    text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject)
  })
  call.on('error', reject)
  call.on('socket', (socket) => socket.once('connect', connected.resolve))
  call.end()
  promise.catch(() => undefined)
  await Promise.race([connected.promise, promise])
  return { answer: promise }
}

test('who asks before there is a daemon is answered when there is one', async () => {
  const { path, early } = await openAt('served')
  const { answer } = await ask(path)
  const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50))])
  assert.equal(first, undefined)
  const taken = early.take(path)
  assert.ok(taken !== undefined)
  assert.equal(early.take(path), undefined)
  taken.restore()
  taken.server.on('request', (_request, response) => response.end('here'))
  taken.begin()
  assert.equal(await answer, '200 here')
  assert.equal(await (await ask(path)).answer, '200 here')
  taken.server.close()
  taken.server.closeAllConnections()
})

test('or is told why there will be none, and the socket goes', async () => {
  const { path, early } = await openAt('refused')
  const calls = [await ask(path), await ask(path, 'HEAD')]
  await early.refuse('the disk is full')
  assert.deepEqual(await Promise.all(calls.map(({ answer }) => answer)), [
    '503 {"message":"ctrd does not start: the disk is full"}\n',
    '503 ',
  ])
  assert.equal(existsSync(path), false)
})

test('a socket that somebody listens on is left to them', async () => {
  const { path, early } = await openAt('taken')
  await assert.rejects(EarlySockets.open([{ kind: 'unix', path }], group, log), {
    code: 'CONFLICT',
    message: `another daemon listens on ${path}`,
  })
  assert.equal(existsSync(path), true)
  await early.refuse('that was all')
})
