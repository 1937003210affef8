import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { encodeEnd, encodeFrame, STDERR, STDOUT } from '@ctr/api'
import { type RunResult, requires, run } from '@ctr/testkit'

// bin/ctr, built with AddressSanitizer and UBSan, against answers that no daemon of ours gives, and in any pieces.
const native = join(import.meta.dirname, '../native')
const skip = requires({ commands: ['make', 'gcc'] })
const HEAD = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
const LOST = 'error waiting for container: connection to the daemon lost\n'

let directory: string
let server: Server
let pieces: readonly (string | Uint8Array)[]

before(async () => {
  if (skip !== false) return
  const { code, stderr } = await run(['make', '-s', '-C', native, 'test'], { timeoutMs: 120_000 })
  assert.equal(code, 0, stderr)
  directory = mkdtempSync('/tmp/ctr-front-frames-')
  server = createServer((socket) => void answer(socket))
  server.listen(join(directory, 's'))
  await once(server, 'listening')
})
beforeEach(() => {
  pieces = []
})
after(() => {
  if (skip !== false) return
  server.close()
  rmSync(directory, { recursive: true })
})

async function answer(socket: Socket): Promise<void> {
  socket.on('error', () => undefined)
  await once(socket, 'data')
  for (const piece of pieces) {
    socket.write(piece)
    await turn()
  }
  socket.end()
}

async function said(...given: (string | Uint8Array)[]): Promise<RunResult> {
  pieces = given
  const front = join(native, 'build/test/ctr')
  const result = await run([front, 'run', 'busybox'], {
    env: { CTR_HOST: `unix://${directory}/s`, HOME: directory },
  })
  assert.doesNotMatch(result.stderr, /Sanitizer|runtime error/)
  return result
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const OUTPUT = Buffer.concat([
  encodeFrame(STDOUT, Buffer.from('one ')),
  encodeFrame(STDOUT, Buffer.alloc(0)),
  encodeFrame(STDERR, Buffer.from('error ')),
  encodeFrame(STDOUT, Buffer.from([0, 1, 2, 5, 255])),
  encodeFrame(STDOUT, Buffer.from(' two')),
  encodeEnd({ text: 'last', status: 7 }),
])

describe('frames', { skip }, () => {
  for (const size of [1, 2, 3, 7, 8, 9, 1000]) {
    it(`in pieces of ${size}`, async () => {
      const { stdoutBytes, stderr, code } = await said(HEAD, ...cut(OUTPUT, size))
      assert.deepEqual(stdoutBytes, Buffer.from('one \0\u0001\u0002\u0005ÿ two', 'latin1'))
      assert.deepEqual([stderr, code], ['error last\n', 7])
    })
  }

  it('together with the head, and with the head in pieces', async () => {
    const all = Buffer.concat([Buffer.from(HEAD), OUTPUT])
    assert.equal((await said(all)).code, 7)
    assert.equal((await said(...cut(all, 5))).code, 7)
  })

  it('larger than any buffer', async () => {
    const payload = Buffer.alloc(3_000_000, 'abc')
    const { stdoutBytes, code } = await said(
      HEAD,
      encodeFrame(STDOUT, payload),
      encodeEnd({ text: '', status: 0 }),
    )
    assert.equal(code, 0)
    assert.ok(stdoutBytes.equals(payload))
  })

  it('by the thousand in one piece', async () => {
    const small = Buffer.concat(
      Array.from({ length: 20_000 }, (_, index) =>
        encodeFrame(index % 3 === 0 ? STDERR : STDOUT, Buffer.from(`${index % 10}`)),
      ),
    )
    const { stdout, stderr } = await said(HEAD, small, encodeEnd({ text: '', status: 0 }))
    assert.deepEqual([stdout.length, stderr.length], [13_333, 6_667])
  })

  it('and what follows the end is not looked at', async () => {
    const { code, stdout } = await said(HEAD, Buffer.concat([OUTPUT, OUTPUT]))
    assert.equal(code, 7)
    assert.equal(stdout.split('one').length, 2)
  })
})

describe('a stream that is none', { skip }, () => {
  for (const [name, bytes] of [
    ['ends at once', []],
    ['ends in a header', [1, 0, 0]],
    ['ends in a payload', [1, 0, 0, 0, 0, 0, 0, 9, 0x68, 0x69]],
    ['promises 4 GiB', [1, 0, 0, 0, 255, 255, 255, 255, 0x68, 0x69]],
    ['has no exit status in its end', [5, 0, 0, 0, 0, 0, 0, 0]],
    ['has a frame of another kind', [9, 0, 0, 0, 0, 0, 0, 1, 0]],
    ['has a frame of no kind', [0, 0, 0, 0, 0, 0, 0, 1, 0]],
    ['is no frame', [...Buffer.from('HTTP/1.1 200 OK\r\n\r\n')]],
  ] as const) {
    it(name, async () => {
      const { code, stdout, stderr } = await said(HEAD, Uint8Array.from(bytes))
      assert.deepEqual([code, stderr], [125, LOST])
      assert.ok(stdout === '' || stdout === 'hi', stdout)
    })
  }
})

describe('a head that is none', { skip }, () => {
  const unknown =
    "ctr: connection to the daemon lost: it ended before the response was complete\n\nRun 'ctr run --help' for more information\n"
  it('tells nothing of what was done', async () => {
    for (const head of ['', 'HTTP/1.1 101', 'x'.repeat(200_000)]) {
      const { code, stderr } = await said(head)
      assert.deepEqual([code, stderr], [125, unknown], head.slice(0, 20))
    }
  })

  it('of another status, or of another protocol, means the client', async () => {
    for (const head of ['HTTP/1.1 404 Not Found', 'HTTP/1.1 200 OK', 'HTTP/1.0 101 X', '101']) {
      const { code, stderr } = await said(`${head}\r\n\r\n`)
      assert.deepEqual(
        [code, stderr.split(':')[1]],
        [1, ` cannot run ${native}/build/apps/cli/dist/ctr`],
      )
    }
  })

  it('may name what it likes as the container', async () => {
    for (const name of ['', 'x'.repeat(1000), 'a'.repeat(1000), '%s%n', '../../x']) {
      const head = HEAD.replace('\r\n\r\n', `\r\nCtr-Signals-To: ${name}\r\n\r\n`)
      assert.equal((await said(head, OUTPUT)).code, 7, name)
    }
  })
})
