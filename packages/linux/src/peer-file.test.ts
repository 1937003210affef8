import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { takePeerFile } from './peer-file.ts'

const skip = process.getuid?.() !== 0 && 'needs root'

test('the open file of the process at the other end of a Unix socket', { skip }, async () => {
  const directory = mkdtempSync('/tmp/ctr-peer-file-')
  const server = createServer().listen(join(directory, 's'))
  await once(server, 'listening')
  const client = connect(join(directory, 's'))
  const [socket] = (await once(server, 'connection')) as [Socket]
  const socketFd = (socket as unknown as { _handle: { fd: number } })._handle.fd
  const fd = openSync(import.meta.filename, 'r')
  try {
    // The peer is this process itself.
    readSync(fd, Buffer.alloc(7))
    const taken = takePeerFile(socketFd, fd) ?? -1
    assert.notEqual(taken, fd)
    assert.equal(fstatSync(taken).ino, fstatSync(fd).ino)
    const next = Buffer.alloc(6)
    readSync(taken, next)
    assert.equal(next.toString(), 'assert')
    closeSync(taken)
    assert.equal(takePeerFile(socketFd, 9999), undefined)
    // No socket.
    assert.equal(takePeerFile(fd, fd), undefined)
  } finally {
    closeSync(fd)
    client.destroy()
    server.close()
    rmSync(directory, { recursive: true })
  }
})
