import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sdNotify, setCloseOnExec, socketFamily } from './sd-notify.ts'

/** The other end: Node has no datagram unix sockets. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind('\\0' + path[1:] if path[0] == '@' else path)
print('bound', end='', flush=True)
print(s.recv(4096).decode(), end='', flush=True)
`

async function receiver(path: string): Promise<ChildProcess> {
  const child = spawn('python3', ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  assert.equal(String(line), 'bound')
  return child
}

for (const kind of ['path', 'abstract'] as const) {
  test(`a message arrives at a socket with ${kind} address`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ctr-sd-'))
    try {
      const path = `${kind === 'path' ? '' : '@'}${directory}/notify`
      const child = await receiver(path)
      try {
        sdNotify(path, 'READY=1\nSTATUS=all is well')
        const [text] = await once(child.stdout ?? child, 'data')
        assert.equal(String(text), 'READY=1\nSTATUS=all is well')
      } finally {
        child.kill()
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
}

test('nobody there is an error, and so is what is no address', () => {
  assert.throws(() => sdNotify('/nonexistent/notify', 'READY=1'), { code: 'ENOENT' })
  assert.throws(() => sdNotify('vsock:2:1', 'READY=1'), RangeError)
  assert.throws(() => sdNotify(`/${'x'.repeat(107)}`, 'READY=1'), RangeError)
})

test('the family of a socket', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  assert.equal(socketFamily(fd), 'ip')
  setCloseOnExec(fd)
  server.close()
  const file = openSync('/dev/null', 'r')
  assert.throws(() => socketFamily(file), { code: 'ENOTSOCK' })
  assert.throws(() => setCloseOnExec(999), { code: 'EBADF' })
})
