import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { isProcess, parseStartTime, processStartTime, signalProcess } from './process.ts'
import {
  deviceNumbers,
  FILESYSTEM_MAGIC,
  filesystemMagic,
  makeDevice,
  openInRoot,
  peerCredentials,
  tryLock,
} from './syscalls.ts'

function temporaryDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'ctr-syscalls-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('openInRoot never leaves the root', () => {
  using directory = temporaryDirectory()
  const root = join(directory.path, 'root')
  mkdirSync(join(root, 'etc'), { recursive: true })
  writeFileSync(join(root, 'etc/passwd'), 'inside')
  writeFileSync(join(directory.path, 'secret'), 'outside')
  symlinkSync('/etc/passwd', join(root, 'absolute'))
  symlinkSync('../../../../etc/passwd', join(root, 'relative'))
  symlinkSync('../secret', join(root, 'escape'))
  for (const path of ['etc/passwd', '/etc/passwd', 'absolute', 'relative', '../../etc/passwd']) {
    const fd = openInRoot(root, path, constants.O_RDONLY)
    assert.equal(readFileSync(fd, 'utf8'), 'inside', path)
    closeSync(fd)
  }
  assert.throws(() => openInRoot(root, 'escape', constants.O_RDONLY), { code: 'ENOENT' })
})

test('openInRoot refuses magic links', () => {
  assert.throws(() => openInRoot('/proc', 'self/root/etc/passwd', constants.O_RDONLY), {
    code: 'ELOOP',
  })
})

test('a signal reaches a process only with its start time', async () => {
  const child = spawn('sleep', ['60'])
  const { pid } = child
  assert.ok(pid)
  const startTime = processStartTime(pid)
  assert.ok(startTime)
  assert.equal(signalProcess(pid, startTime + 1n, 9), false)
  assert.ok(isProcess(pid, startTime))
  assert.equal(signalProcess(pid, startTime, 15), true)
  const signal = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)))
  assert.equal(signal, 'SIGTERM')
  assert.equal(signalProcess(pid, startTime, 15), false)
})

test('the start time is found behind any program name', () => {
  const rest = Array.from({ length: 40 }, (_, index) => index + 3).join(' ')
  assert.equal(parseStartTime(`7 (a) b (c) ${rest}`), 22n)
})

test('a lock is held by one descriptor at a time', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'lock')
  const [first, second] = [openSync(path, 'w'), openSync(path, 'w')]
  assert.equal(tryLock(first), true)
  assert.equal(tryLock(second), false)
  closeSync(first)
  assert.equal(tryLock(second), true)
  closeSync(second)
})

test('filesystems are known by their magic', () => {
  assert.equal(filesystemMagic('/proc'), FILESYSTEM_MAGIC.proc)
  assert.throws(() => filesystemMagic('/nonexistent'), { code: 'ENOENT' })
})

test('device numbers survive a round trip', () => {
  for (const [major, minor] of [
    [1, 3],
    [254, 300],
    [4095, 1048575],
    [0, 0],
  ] as const) {
    assert.deepEqual(deviceNumbers(makeDevice(major, minor)), { major, minor })
  }
  assert.deepEqual(deviceNumbers(statSync('/dev/null').rdev), { major: 1, minor: 3 })
})

test('a Unix socket tells who connected', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 's')
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const accepted = new Promise<number>((resolve) => {
    server.once('connection', (socket) => {
      const handle = (socket as unknown as { _handle: { fd: number } })._handle
      const { pid } = peerCredentials(handle.fd)
      socket.end()
      resolve(pid)
    })
  })
  connect(path).resume()
  assert.equal(await accepted, process.pid)
  server.close()
})

test('a path with .. is opened while others rename files elsewhere', async () => {
  using directory = temporaryDirectory()
  mkdirSync(join(directory.path, 'd'))
  const name = JSON.stringify(join(directory.path, 'renamed'))
  const script = `const fs = require('node:fs')
    fs.writeFileSync(${name}, '')
    for (;;) { fs.renameSync(${name}, ${name} + '1'); fs.renameSync(${name} + '1', ${name}) }`
  const other = new Worker(script, { eval: true })
  try {
    await once(other, 'online')
    const path = `/${'d/../'.repeat(20)}d`
    for (let i = 0; i < 3000; i++) closeSync(openInRoot(directory.path, path, constants.O_RDONLY))
  } finally {
    await other.terminate()
  }
})
