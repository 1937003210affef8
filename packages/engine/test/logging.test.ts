// needs: root, busybox-static, the native shim, perl (datagram sockets, which Node does not have)
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { removeContainer, startContainer, stopContainer, waitContainer } from '@ctr/engine'
import { NEVER, TestEngine } from './support.ts'

/** Collects lines that a syslog server gets. */
class Received {
  text = ''
  readonly #waiting = new Set<() => void>()

  add(chunk: Buffer): void {
    this.text += chunk.toString()
    for (const wake of this.#waiting) wake()
  }

  async until(isEnough: (text: string) => boolean): Promise<string> {
    const deadline = AbortSignal.timeout(120_000)
    while (!isEnough(this.text)) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      deadline.addEventListener('abort', () => reject(new Error(`got ${this.text}`)), {
        once: true,
      })
      await promise
      this.#waiting.delete(resolve)
    }
    return this.text
  }
}

async function tcpServer(
  received: Received,
  port = 0,
): Promise<{ server: Server; port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => received.add(chunk))
    socket.on('error', () => undefined)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

function syslog(address: string, more: Record<string, string> = {}): object {
  return { LogConfig: { Type: 'syslog', Config: { 'syslog-address': address, ...more } } }
}

async function run(t: TestEngine, id: string): Promise<void> {
  const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
  await startContainer(t.engine, id)
  await exited
}

async function outputOf(t: TestEngine, id: string): Promise<string> {
  return (await t.output(id)).stdout
}

test('syslog over TCP gets both streams, and logs can still be read', async () => {
  await using t = await TestEngine.open()
  const received = new Received()
  const { port, close } = await tcpServer(received)
  try {
    const id = await t.create(['sh', '-c', 'echo one; echo two >&2'], {
      name: 'web',
      hostConfig: syslog(`tcp://127.0.0.1:${port}`, {
        tag: '{{.Name}}',
        'syslog-facility': 'local1',
        'syslog-format': 'rfc5424micro',
        mode: 'non-blocking',
      }),
    })
    await run(t, id)
    const text = await received.until((got) => got.includes('one') && got.includes('two'))
    assert.match(text, /^<142>1 \d{4}-.*\.\d{6}Z \S+ web \d+ web - one$/m)
    assert.match(text, /^<139>1 .* web - two$/m)
    assert.equal(await outputOf(t, id), 'one\n')
  } finally {
    await close()
  }
})

test('a server that is away stops nobody and gets everything later, in order, once', async () => {
  await using t = await TestEngine.open()
  // Away from the ports that the kernel gives to clients: one of them could have it when the server comes back.
  const port = randomInt(10_000, 32_768)
  const before = await tcpServer(new Received(), port)
  await before.close()
  const id = await t.create(['sh', '-c', 'for i in $(seq 1 50); do echo line $i; done'], {
    hostConfig: syslog(`tcp://127.0.0.1:${port}`),
  })
  await run(t, id)
  assert.match(await outputOf(t, id), /line 50\n$/)
  const received = new Received()
  const { close } = await tcpServer(received, port)
  try {
    const text = await received.until((got) => got.includes('line 50\n'))
    const lines = [...text.matchAll(/: line (\d+)\n/g)].map(([, number]) => Number(number))
    assert.deepEqual(
      lines,
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
  } finally {
    await close()
  }
})

test('what was written while no engine ran is sent by the next one', async () => {
  await using t = await TestEngine.open()
  const directory = mkdtempSync('/tmp/ctr-engine-go-')
  const received = new Received()
  const { port, close } = await tcpServer(received)
  try {
    const id = await t.create(
      [
        'sh',
        '-c',
        'echo first; while ! test -e /go/now; do sleep 0.05; done; echo second; sleep 1000',
      ],
      {
        hostConfig: {
          ...syslog(`tcp://127.0.0.1:${port}`),
          Binds: [`${directory}:/go`],
        },
      },
    )
    await startContainer(t.engine, id)
    await received.until((got) => got.includes('first'))
    await t.reopen()
    writeFileSync(join(directory, 'now'), '')
    const text = await received.until((got) => got.includes('second'))
    assert.equal(text.match(/first/g)?.length, 1, text)
    await stopContainer(t.engine, id, { timeoutSeconds: 0 })
  } finally {
    rmSync(directory, { recursive: true })
    await close()
  }
})

test('with --rm the last lines are sent before the log goes', async () => {
  await using t = await TestEngine.open()
  const received = new Received()
  const { port, close } = await tcpServer(received)
  try {
    const id = await t.create(['echo', 'bye'], {
      hostConfig: { ...syslog(`tcp://127.0.0.1:${port}`), AutoRemove: true },
    })
    const removed = waitContainer(t.engine, id, 'removed', NEVER)
    await startContainer(t.engine, id)
    await removed
    await received.until((got) => got.includes('bye'))
  } finally {
    await close()
  }
})

test('syslog over UDP', async () => {
  await using t = await TestEngine.open()
  const received = new Received()
  const socket = createSocket('udp4', (message) => received.add(message))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  try {
    const id = await t.create(['echo', 'hello'], {
      hostConfig: syslog(`udp://127.0.0.1:${socket.address().port}`, {
        'syslog-format': 'rfc3164',
      }),
    })
    await run(t, id)
    const text = await received.until((got) => got.includes('hello'))
    assert.match(text, new RegExp(`^<30>.* ${id.slice(0, 12)}\\[\\d+\\]: hello\\n$`))
  } finally {
    socket.close()
  }
})

/** Every datagram that arrives at `path`, followed by `--`. Node has no sockets of this kind. */
async function datagramServer(path: string, received: Received): Promise<Disposable> {
  const script =
    'use IO::Socket::UNIX; $|=1; my $s=IO::Socket::UNIX->new(Type=>SOCK_DGRAM,Local=>$ARGV[0]) or die; print "ready\\n"; while(defined($s->recv(my $d,1<<20))){print $d,"--\\n"}'
  const perl = spawn('perl', ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  perl.stdout.on('data', (chunk: Buffer) => received.add(chunk))
  await received.until((got) => got.includes('ready'))
  received.text = ''
  return { [Symbol.dispose]: () => void perl.kill() }
}

test('syslog over a datagram socket such as /dev/log; the tag is a template', async () => {
  const directory = mkdtempSync('/tmp/ctr-engine-syslog-')
  const received = new Received()
  try {
    using _server = await datagramServer(join(directory, 'log'), received)
    await using t = await TestEngine.open()
    const id = await t.create(['sh', '-c', 'echo one; printf two >&2'], {
      name: 'web',
      config: { Labels: { tier: 'front' } },
      hostConfig: syslog(`unixgram://${directory}/log`, {
        tag: '{{upper .Name}}/{{with .ContainerLabels}}{{.tier}}{{end}}/{{.ID}}',
      }),
    })
    await run(t, id)
    const text = await received.until((got) => got.includes('one') && got.includes('two'))
    const tag = `WEB/front/${id.slice(0, 12)}`
    assert.match(text, new RegExp(`^<30>\\S+ [\\d ]\\d \\S+ ${tag}\\[\\d+\\]: one\\n--$`, 'm'))
    assert.match(text, new RegExp(`^<27>.* ${tag}\\[\\d+\\]: two\\n--$`, 'm'))
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('journald gets fields in its own protocol', async () => {
  const directory = mkdtempSync('/tmp/ctr-engine-journal-')
  const path = join(directory, 'socket')
  const received = new Received()
  process.env['CTR_JOURNAL_SOCKET'] = path
  try {
    using _server = await datagramServer(path, received)
    await using t = await TestEngine.open()
    const id = await t.create(['sh', '-c', 'echo one; echo two >&2'], {
      name: 'web',
      config: { Labels: { 'com.example': 'x' } },
      hostConfig: {
        LogConfig: {
          Type: 'journald',
          Config: { labels: 'com.example', tag: '{{.ImageName}}/{{title .Name}}' },
        },
      },
    })
    await run(t, id)
    const text = await received.until((got) => got.includes('one') && got.includes('two'))
    const [first = ''] = text.split('--\n')
    for (const line of [
      'MESSAGE=one',
      'PRIORITY=6',
      `CONTAINER_ID=${id.slice(0, 12)}`,
      `CONTAINER_ID_FULL=${id}`,
      'CONTAINER_NAME=web',
      'CONTAINER_TAG=busybox/Web',
      'IMAGE_NAME=busybox',
      'SYSLOG_IDENTIFIER=busybox/Web',
      'COM_EXAMPLE=x',
    ]) {
      assert.ok(first.split('\n').includes(line), `${line} in ${first}`)
    }
    assert.match(text, /MESSAGE=two\nPRIORITY=3/)
  } finally {
    delete process.env['CTR_JOURNAL_SOCKET']
    rmSync(directory, { recursive: true })
  }
})

test('a wrong tag fails the start, not the creation, as in Docker', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['true'], {
    hostConfig: { LogConfig: { Type: 'json-file', Config: { tag: '{{nope}}' } } },
  })
  const message =
    'failed to initialize logging driver: template: log-tag:1: function "nope" not defined'
  await assert.rejects(startContainer(t.engine, id), { message })
})

test('without journald a container for it is refused; unknown drivers too', async () => {
  await using t = await TestEngine.open()
  process.env['CTR_JOURNAL_SOCKET'] = '/nonesuch'
  try {
    await assert.rejects(
      t.create(['true'], { hostConfig: { LogConfig: { Type: 'journald' } } }),
      /failed to initialize logging driver: journald is not enabled on this host/,
    )
  } finally {
    delete process.env['CTR_JOURNAL_SOCKET']
  }
  await assert.rejects(
    t.create(['true'], { hostConfig: { LogConfig: { Type: 'fluentd' } } }),
    /plugin "fluentd" not found/,
  )
})

test('the driver local can be read and rotates', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['sh', '-c', 'seq 1 2000'], {
    hostConfig: {
      LogConfig: {
        Type: 'local',
        Config: { 'max-size': '20k', 'max-file': '2', compress: 'false' },
      },
    },
  })
  await run(t, id)
  const text = await outputOf(t, id)
  assert.match(text, /\n2000\n$/)
  assert.ok(!text.startsWith('1\n'), text.slice(0, 40) + text.length)
  await removeContainer(t.engine, id, { force: true, volumes: true })
})
