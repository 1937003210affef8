import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesystemOf, isOpenForReading, takePeerFile } from './peer-file.ts'
import { processStartTime } from './process.ts'

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
    const start = processStartTime(process.pid) ?? 0n
    const taken = takePeerFile(socketFd, fd, start) ?? -1
    assert.notEqual(taken, fd)
    assert.equal(fstatSync(taken).ino, fstatSync(fd).ino)
    const next = Buffer.alloc(6)
    readSync(taken, next)
    assert.equal(next.toString(), 'assert')
    closeSync(taken)
    assert.equal(takePeerFile(socketFd, 9999, start), undefined)
    assert.equal(takePeerFile(socketFd, fd, start + 1n), undefined, 'another process is meant')
    // No socket.
    assert.equal(takePeerFile(fd, fd, start), undefined)
  } finally {
    closeSync(fd)
    client.destroy()
    server.close()
    rmSync(directory, { recursive: true })
  }
})

test('what a descriptor can be used for, and where its file is, without a word to the filesystem', () => {
  const directory = mkdtempSync('/dev/shm/ctr-peer-file-')
  const path = join(directory, 'file')
  const written = openSync(path, 'w')
  const O_PATH = 0o10000000
  const others = [
    openSync(path, 'r'),
    openSync(path, 'r+'),
    openSync(path, O_PATH),
    openSync('/proc/self/stat', 'r'),
  ]
  try {
    assert.deepEqual([written, ...others].map(isOpenForReading), [false, true, true, false, true])
    assert.deepEqual([written, ...others].map(filesystemOf), [...Array(4).fill('tmpfs'), 'proc'])
  } finally {
    for (const fd of [written, ...others]) closeSync(fd)
    rmSync(directory, { recursive: true })
  }
})
