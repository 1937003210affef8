import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { TestDaemon } from '@ctr/testkit'
import { freePort, requires, startDaemon, waitFor } from '@ctr/testkit'

// Each connection that the daemon keeps costs a descriptor: who can make it keep them can make it run out.
const skip = requires({ root: true })

const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const TCP = 'Connection: Upgrade\r\nUpgrade: tcp\r\n'

describe('connections that a client has left', { skip, timeout: 300_000 }, () => {
  let daemon: TestDaemon
  let port: number
  before(async () => {
    port = await freePort()
    daemon = await startDaemon({ bridge: false, args: ['-H', `tcp://127.0.0.1:${port}`] })
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  const openFiles = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length

  /** Reads the first bytes of the answer and goes. */
  async function askAndLeave(request: string): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port })
    socket.write(request)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return answer.toString('latin1').split('\r\n', 1)[0] ?? ''
  }

  async function assertClosed(request: string, status: string): Promise<void> {
    await askAndLeave(request)
    const before = openFiles()
    for (let index = 0; index < 8; index++) {
      assert.match(await askAndLeave(request), new RegExp(`^HTTP/1.1 ${status}`))
    }
    await waitFor(`the daemon to close: ${request}`, () => openFiles() <= before)
  }

  test('are closed when a WebSocket was refused', async () => {
    const requests: readonly (readonly [path: string, headers: string, status: string])[] = [
      ['/events', 'Host: localhost\r\nOrigin: http://evil.example\r\n', '403'],
      ['/containers/it/attach/ws', 'Host: evil.example\r\n', '403'],
      ['/nosuch', 'Host: evil.example\r\n', '403'],
      ['/v1.12/events', 'Host: localhost\r\n', '400'],
      ['/containers/%/attach/ws', 'Host: localhost\r\n', '400'],
      ['/containers/json', 'Host: localhost\r\n', '400'],
    ]
    for (const [path, headers, status] of requests) {
      await assertClosed(`GET ${path} HTTP/1.1\r\n${headers}${WEBSOCKET}\r\n`, status)
    }
  })

  test('are closed when an upgrade was asked for where none is', async () => {
    await assertClosed(`GET /events HTTP/1.1\r\nHost: localhost\r\n${TCP}\r\n`, '200')
    await daemon.ok(['create', '--name', 'it', 'busybox'])
    const logs = '/containers/it/logs?stdout=1&follow=1'
    await assertClosed(`GET ${logs} HTTP/1.1\r\nHost: localhost\r\n${TCP}\r\n`, '200')
  })
})
