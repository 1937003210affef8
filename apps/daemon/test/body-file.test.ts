import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { imageArchive, requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'

const skip = requires({ root: true })
const directory = mkdtempSync('/tmp/ctr-body-file-')
const path = join(directory, 'image.tar')
const archive = imageArchive({
  reference: 'from-file:1',
  layers: [[{ path: 'big', content: Buffer.alloc(3_000_000, 'big ') }]],
})
const O_PATH = 0o10000000 // asm-generic/fcntl.h
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
  writeFileSync(path, archive)
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

/** Asks to load `offer`, and sends `body` only if the daemon asks for it. */
async function load(
  offer: string,
  body: Buffer,
): Promise<{ status: number | undefined; text: string; isAsked: boolean; interims: number[] }> {
  const call = request({
    socketPath: daemon.socketPath,
    method: 'POST',
    path: '/images/load',
    headers: { Expect: '100-continue', 'Ctr-Body-File': offer, 'Transfer-Encoding': 'chunked' },
  })
  let isAsked = false
  const interims: number[] = []
  call.on('information', ({ statusCode }) => interims.push(statusCode))
  call.once('continue', () => {
    isAsked = true
    call.end(body)
  })
  call.flushHeaders()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString()
  call.destroy()
  return { status: response.statusCode, text, isAsked, interims }
}

/** Field 22 of proc_pid_stat(5). */
const started = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ')[19]

function offerOf(fd: number, file = path, position = 0, start = started): string {
  const { dev, ino } = statSync(file, { bigint: true })
  return `${fd} ${dev} ${ino} ${position} ${start}`
}

function openFiles(): string[] {
  const directoryOfFds = `/proc/${daemon.pid}/fd`
  return readdirSync(directoryOfFds).flatMap((fd) => {
    try {
      return [readlinkSync(join(directoryOfFds, fd))]
    } catch {
      return [] // closed meanwhile
    }
  })
}

describe('a body that is a file of the client', { skip }, () => {
  beforeEach(async () => {
    await daemon.ctr(['rmi', '-f', 'from-file:1'])
  })

  it('is read by the daemon, from the given position, and not sent', async () => {
    const padded = join(directory, 'padded.tar')
    writeFileSync(padded, Buffer.concat([Buffer.alloc(777, 'no tar'), archive]))
    const fd = openSync(padded, 'r')
    // Whatever becomes of the position of the descriptor: a client that lost patience reads, too.
    readSync(fd, Buffer.alloc(5000))
    const offer = offerOf(fd, padded, 777)
    const { status, text, isAsked, interims } = await load(offer, Buffer.alloc(0))
    closeSync(fd)
    assert.equal(status, 200)
    assert.match(text, /Loaded image: from-file:1/)
    assert.equal(isAsked, false)
    assert.deepEqual(interims, [102])
  })

  const wrong: Record<string, (fd: number) => string> = {
    'of another file, as behind a proxy': (fd) => offerOf(fd, '/proc/self/exe'),
    'that is not open': () => offerOf(9999),
    'that is no number': () => '/etc/shadow 1 2 3 4',
    'of a process that began at another time, as a proxy': (fd) => offerOf(fd, path, 0, '1'),
    'without a word about the process': (fd) => offerOf(fd).split(' ').slice(0, 4).join(' '),
  }
  for (const [name, offer] of Object.entries(wrong)) {
    it(`a descriptor ${name}: the daemon asks for the body`, async () => {
      const fd = openSync(path, 'r')
      const { status, text, isAsked } = await load(offer(fd), archive)
      closeSync(fd)
      assert.equal(status, 200)
      assert.match(text, /Loaded image: from-file:1/)
      assert.equal(isAsked, true)
    })
  }

  it('no file but a FIFO, a device or a directory: the daemon asks for the body', async () => {
    const fd = openSync('/dev/zero', 'r')
    const { status, isAsked } = await load(offerOf(fd, '/dev/zero'), archive)
    closeSync(fd)
    assert.deepEqual({ status, isAsked }, { status: 200, isAsked: true })
  })

  it('a file of /proc is read by its client', async () => {
    const file = '/proc/self/status'
    const fd = openSync(file, 'r')
    const { isAsked, status } = await load(offerOf(fd, file), archive)
    closeSync(fd)
    assert.deepEqual({ status, isAsked }, { status: 200, isAsked: true })
  })

  for (const [name, flags] of Object.entries({
    'for writing only': 'a',
    'as a path only': O_PATH,
  })) {
    it(`a file that is open ${name} is refused`, async () => {
      const fd = openSync(path, flags)
      const { status, text, isAsked } = await load(offerOf(fd), archive)
      closeSync(fd)
      assert.deepEqual({ status, isAsked }, { status: 400, isAsked: false })
      assert.match(text, /not open for reading/)
    })
  }

  it('an upload that breaks off is no failure of the daemon', async () => {
    const before = daemon.log.length
    const call = request({ socketPath: daemon.socketPath, method: 'POST', path: '/images/load' })
    call.on('error', () => undefined).write(archive.subarray(0, 1_000_000))
    await once(call.socket ?? (await once(call, 'socket'))[0], 'drain').catch(() => undefined)
    call.destroy()
    const log = await waitFor('a word in the log', () => {
      const text = daemon.log.slice(before)
      return text.includes('/images/load') && text
    })
    assert.match(log, /"level":"info".*client disconnected/)
    assert.doesNotMatch(log, /"level":"error"/)
  })

  it('a broken archive is refused as one that is sent', async () => {
    const broken = join(directory, 'broken.tar')
    writeFileSync(broken, archive.subarray(0, 2_000_000))
    const fd = openSync(broken, 'r')
    const answers = [await load(offerOf(fd, broken), Buffer.alloc(0))]
    closeSync(fd)
    answers.push(await load('none', archive.subarray(0, 2_000_000)))
    for (const { status, text } of answers) {
      assert.equal(status, 400)
      assert.match(text, /unexpected EOF/)
    }
  })

  it('is read no longer than its client is there', async () => {
    const endless = join(directory, 'endless.tar')
    writeFileSync(endless, archive)
    // Zeros behind the end of the archive, without a block of the disk.
    truncateSync(endless, 2 ** 40)
    const fd = openSync(endless, 'r')
    const call = request({
      socketPath: daemon.socketPath,
      method: 'POST',
      path: '/images/load',
      headers: { Expect: '100-continue', 'Ctr-Body-File': offerOf(fd, endless) },
    })
    call.on('error', () => undefined).flushHeaders()
    await once(call, 'information')
    assert.ok(openFiles().includes(endless))
    call.destroy()
    closeSync(fd)
    await waitFor('the daemon lets go of the file', () => !openFiles().includes(endless))
    assert.notEqual((await daemon.ctr(['inspect', 'from-file:1'])).code, 0)
  })

  it('that nobody has read before the request failed is closed without a word', async () => {
    const tmp = join(daemon.dataRoot, 'tmp')
    renameSync(tmp, `${tmp}.aside`)
    const fd = openSync(path, 'r')
    const { status } = await load(offerOf(fd), archive)
    closeSync(fd)
    renameSync(`${tmp}.aside`, tmp)
    assert.equal(status, 500)
    await waitFor('the daemon lets go of the file', () => !openFiles().includes(path))
    assert.doesNotMatch(daemon.log, /uncaught exception/)
  })

  it('another client that expects 100 Continue gets it', async () => {
    const call: ClientRequest = request({
      socketPath: daemon.socketPath,
      method: 'POST',
      path: '/images/load',
      headers: { Expect: '100-continue', 'Transfer-Encoding': 'chunked' },
    })
    call.once('continue', () => call.end(archive))
    call.flushHeaders()
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    response.resume()
    assert.equal(response.statusCode, 200)
  })

  it('ctr load and ctr import of a file, by name and as standard input', async () => {
    assert.match(await daemon.ok(['load', '-i', path]), /Loaded image: from-file:1/)
    assert.match(await daemon.ok(['import', path, 'a:1']), /^sha256:/)
    const commands = [`load < ${path}`, `import - a:2 < ${path}`, `import - a:3 < /dev/null`]
    const codes = []
    for (const command of commands) {
      const { status } = spawnSync('sh', ['-c', `${daemon.cli.join(' ')} ${command}`], {
        env: { ...process.env, ...daemon.clientEnvironment },
        stdio: 'ignore',
      })
      codes.push(status)
    }
    assert.deepEqual(codes, [0, 0, 0])
  })
})
