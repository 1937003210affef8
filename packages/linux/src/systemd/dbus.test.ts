import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isEngineError } from '@ctr/errdefs'
import { DbusConnection } from './dbus.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-dbus-'))
after(() => rmSync(directory, { recursive: true }))

async function openWith(name: string, serve: (peer: Socket) => void): Promise<void> {
  const path = join(directory, name)
  const server = createServer((peer) => {
    peer.on('error', () => undefined)
    serve(peer)
  }).listen(path)
  await once(server, 'listening')
  try {
    using _connection = await DbusConnection.open(path)
  } finally {
    server.close()
  }
}

const isRefused = (error: unknown): boolean => isEngineError(error, 'UNAVAILABLE')

test('a peer that greets as systemd does is taken', async () => {
  await openWith('good', (peer) => void peer.write('OK 0123456789abcdef\r\n'))
})

test('a peer that closes instead of a greeting is refused, not waited for', async () => {
  await assert.rejects(
    openWith('closes', (peer) => void peer.once('data', () => peer.end())),
    isRefused,
  )
})

test('a greeting without end is refused', async () => {
  const endless = (peer: Socket): void => void peer.once('data', () => peer.write('O'.repeat(2000)))
  await assert.rejects(openWith('endless', endless), isRefused)
})
