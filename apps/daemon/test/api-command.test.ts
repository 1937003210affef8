import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { EXIT, FrameDecoder, STDERR, STDOUT } from '@ctr/api'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly head: string
  readonly stdout: string
  readonly stderr: string
  readonly exit: number | undefined
}

/** As bin/ctr asks: it does not end its side. */
async function ask(body: Buffer): Promise<Answer> {
  const socket = connect(daemon.socketPath)
  socket.write(
    `POST /commands HTTP/1.1\r\nHost: ctr\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  socket.on('error', () => undefined)
  socket.write(body)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  await once(socket, 'close')
  const all = Buffer.concat(chunks)
  const end = all.indexOf('\r\n\r\n') + 4
  const head = all.toString('latin1', 0, end)
  const status = Number(head.split(' ')[1])
  const frames = status === 101 ? new FrameDecoder(EXIT).push(all.subarray(end)) : []
  const of = (kind: number): Buffer =>
    Buffer.concat(frames.filter(({ stream }) => stream === kind).map(({ payload }) => payload))
  if (status === 101) assert.equal(frames.at(-1)?.stream, EXIT)
  return {
    status,
    head,
    stdout: of(STDOUT).toString(),
    stderr: of(STDERR).toString(),
    exit: of(EXIT)[0],
  }
}

function words(...texts: (string | Buffer)[]): Promise<Answer> {
  return ask(Buffer.concat(texts.flatMap((text) => [Buffer.from(text as string), Buffer.of(0)])))
}

async function containers(): Promise<string[]> {
  const { text } = await daemon.request('GET', '/containers/json?all=1')
  return (JSON.parse(text) as { Names: string[] }[]).flatMap(({ Names }) => Names)
}

test('run: both streams, then the exit status', { skip }, async () => {
  const script = 'echo out; echo err >&2; exit 3'
  const answer = await words('run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', script)
  const { status, stdout, stderr, exit } = answer
  assert.deepEqual([status, stdout, stderr, exit], [101, 'out\n', 'err\n', 3])
  assert.match(answer.head, /\r\nCtr-Signals-To: [0-9a-f]{64}\r\n/)
  assert.deepEqual(await containers(), [])
  const unproxied = await words(
    'run',
    '--rm',
    '--sig-proxy=false',
    '--network=none',
    'busybox',
    'true',
  )
  assert.equal(unproxied.exit, 0)
  assert.doesNotMatch(unproxied.head, /Signals/)
})

test('run -d: the id at once; exec in it; its refusals make nothing', { skip }, async () => {
  const { stdout, exit } = await words(
    ...'run -d --name web --network none busybox sleep 1000'.split(' '),
  )
  assert.match(stdout, /^[0-9a-f]{64}\n$/)
  assert.equal(exit, 0)
  const shown = await words(
    'exec',
    '-e',
    'A=1',
    '-w',
    '/tmp',
    'web',
    'sh',
    '-c',
    'echo $A $PWD; exit 4',
  )
  assert.deepEqual([shown.stdout, shown.exit], ['1 /tmp\n', 4])
  const missing = await words('exec', 'web', 'nonesuch')
  assert.match(missing.stdout, /executable file not found/)
  assert.equal(missing.exit, 127)
  assert.equal((await words('exec', 'nobody', 'true')).status, 404)
  assert.equal((await words('run', '--name', 'web', 'busybox')).status, 409)
  assert.equal((await words('run', 'nosuchimage')).status, 404)
  assert.deepEqual(await containers(), ['/web'])
})

test('bytes of an argument arrive as they are', { skip }, async () => {
  const bytes = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x0a])
  const socketWords = ['exec', 'web', 'sh', '-c', 'printf %s "$0" | od -An -tx1', bytes]
  assert.equal((await words(...socketWords)).stdout.trim(), 'ff fe c3 28 ed a0 80 0a')
})

test('a start that fails: the words and the status of the client', { skip }, async () => {
  const { stdout, stderr, exit } = await words(
    'container',
    'run',
    '--network=none',
    'busybox',
    'nonesuch',
  )
  assert.deepEqual([stdout, exit], ['', 127])
  assert.match(
    stderr,
    /^ctr: Error response from daemon: .*executable file not found.*\n\nRun 'ctr container run --help' for more information\n$/,
  )
  const detached = await words('run', '-d', '--network=none', 'busybox', '/etc')
  assert.match(detached.stdout, /^[0-9a-f]{64}\n$/)
  assert.match(detached.stderr, /^ctr: Error response from daemon: .*is a directory/)
  assert.equal(detached.exit, 126)
})

test('what needs the client is refused, and nothing is done', { skip }, async () => {
  const before = await containers()
  for (const line of [
    'ps',
    'run',
    'run -it busybox',
    'run -e HOME busybox',
    'run --nope busybox',
    'exec web',
  ]) {
    assert.equal((await words(...line.split(' '))).status, 501, line)
  }
  assert.deepEqual(await containers(), before)
})

test('what is no command is refused', { skip }, async () => {
  assert.equal((await ask(Buffer.from(''))).status, 400)
  assert.equal((await ask(Buffer.from('run\0busybox'))).status, 400)
  assert.equal((await ask(Buffer.alloc(20_000))).status, 400)
  assert.equal((await ask(Buffer.from('\0'))).status, 501)
  assert.equal((await ask(Buffer.alloc(2 * 1024 * 1024))).status, 400)
  const { status, text } = await daemon.request('POST', '/commands')
  assert.deepEqual(
    [status, JSON.parse(text)],
    [400, { message: 'a command needs an upgrade to tcp' }],
  )
})
