import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { requires, run, Session, startDaemon, type TestDaemon } from '@ctr/testkit'

/** What both CLIs write for the same answers, byte by byte. */
const skip = requires({ root: true, commands: ['docker'] })

const ids = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'] as const
const [id, other] = ids
/** As dockerd sends them, with what is odd: no total, more than the total, another unit. */
const STREAMS: Readonly<Record<string, readonly object[]>> = {
  '/images/create': [
    { status: 'Pulling from library/busybox', id: 'latest' },
    { status: 'Pulling fs layer', progressDetail: {}, id },
    { status: 'Pulling fs layer', progressDetail: {}, id: other },
    { status: 'Downloading', progressDetail: { current: 540, total: 2_000_000 }, id },
    { status: 'Downloading', progressDetail: { current: 123_456 }, id: other },
    { status: 'Downloading', progressDetail: { current: 2_000_000, total: 2_000_000 }, id },
    { status: 'Verifying Checksum', progressDetail: {}, id },
    { status: 'Extracting', progressDetail: { current: 2_100_000, total: 2_000_000 }, id },
    { status: 'Extracting', progressDetail: { current: 1, units: 's' }, id: other },
    { status: 'Pull complete', progressDetail: {}, id },
    { status: 'Digest: sha256:12' },
  ],
  '/images/registry.example.com/web/push': [
    { status: 'The push refers to repository [registry.example.com/web]' },
    { status: 'Preparing', progressDetail: {}, id },
    { status: 'Pushing', progressDetail: { current: 512, total: 1_986_242 }, id },
    { status: 'Pushed', progressDetail: {}, id },
    { status: 'latest: digest: sha256:12 size: 527' },
    { progressDetail: {}, aux: { Tag: 'latest', Digest: 'sha256:12', Size: 527 } },
  ],
  '/images/load': [
    { status: 'Loading layer', progressDetail: { current: 32_768, total: 2_136_064 }, id },
    { status: 'Loading layer', progressDetail: { current: 2_136_064, total: 2_136_064 }, id },
    { stream: 'Loaded image: busybox:latest\n' },
  ],
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  request.on('end', () => {
    const path = (request.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*$/, '')
    response.writeHead(200, { 'Content-Type': 'application/json', 'Api-Version': '1.50' })
    for (const message of STREAMS[path] ?? []) response.write(`${JSON.stringify(message)}\r\n`)
    response.end(path === '/_ping' ? 'OK' : '')
  })
}

let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(() => daemon?.[Symbol.asyncDispose]())

describe('progress', { skip }, () => {
  let directory = ''
  let server: Server
  before(async () => {
    directory = mkdtempSync('/tmp/ctr-t-progress-')
    server = createServer(answer).listen(`${directory}/socket`)
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })

  async function output(command: readonly string[], columns: number | undefined): Promise<string> {
    const host = `unix://${directory}/socket`
    await using session = new Session(command, {
      ...(columns === undefined ? {} : { tty: { rows: 30, columns } }),
      env: { DOCKER_HOST: host, CTR_HOST: host, HOME: directory },
    })
    if (columns === undefined) session.end()
    assert.equal(await session.exited, 0, session.output)
    return session.output
  }

  for (const args of [
    ['pull', 'busybox'],
    ['pull', '-q', 'busybox'],
    ['push', 'registry.example.com/web'],
    ['load', '-i', '/etc/hostname'],
  ]) {
    for (const columns of [undefined, 80, 120]) {
      const where = columns === undefined ? 'without a terminal' : `on ${columns} columns`
      it(`of ${args.join(' ')} ${where}`, async () => {
        const expected = await output(['docker', ...args], columns)
        assert.equal(await output([...daemon.cli, ...args], columns), expected)
      })
    }
  }
})

describe('search', { skip }, () => {
  const RESULTS = [
    {
      name: 'web',
      description: 'A\nserver of pages, with a text that is too long for the table',
      star_count: 7,
      is_official: true,
    },
    { name: 'ann/web', description: '', star_count: 70, is_official: false },
    { name: 'bob/wéb', description: 'short', star_count: 0, is_official: false },
  ]
  let index: Server
  let host = ''
  before(async () => {
    index = createServer((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://index')
      const results = searchParams.get('q') === 'none' ? [] : RESULTS
      response.end(JSON.stringify({ num_results: results.length, results }))
    }).listen(0, '127.0.0.1')
    await once(index, 'listening')
    host = `127.0.0.1:${(index.address() as { port: number }).port}`
  })
  after(() => {
    index.close()
    index.closeAllConnections()
  })

  for (const args of [
    ['HOST/web'],
    ['HOST/none'],
    ['--no-trunc', 'HOST/web'],
    ['--limit', '2', 'HOST/web'],
    ['--limit', '-1', 'HOST/web'],
    ['--limit', '101', 'HOST/web'],
    ['--filter', 'is-official=true', 'HOST/web'],
    ['--filter', 'stars=7', 'HOST/web'],
    ['--filter', 'stars=x', 'HOST/web'],
    ['--filter', 'is-automated=true', 'HOST/web'],
    ['--filter', 'x=y', 'HOST/web'],
    ['--format', '{{.Name}}:{{.StarCount}}:{{.IsOfficial}}', 'HOST/web'],
    ['--format', '{{.IsAutomated}}', 'HOST/web'],
    ['--format', 'json', 'HOST/web'],
    ['http://HOST/web'],
  ]) {
    it(args.join(' '), async () => {
      const command = ['search', ...args.map((arg) => arg.replace('HOST', host))]
      const env = daemon.clientEnvironment
      const expected = await run(['docker', ...command], { env })
      assert.deepEqual(await run([...daemon.cli, ...command], { env }), expected)
    })
  }
})

describe('info', { skip }, () => {
  for (const options of [[], ['--debug']]) {
    it(`has the server's lines of docker ${options.join(' ')}`, async () => {
      const env = daemon.clientEnvironment
      const lines = async (command: readonly string[]): Promise<string[]> => {
        const { stdout } = await run([...command, ...options, 'info'], { env })
        const text = stdout.slice(stdout.indexOf('Server:'))
        return text.replace(/(System Time|File Descriptors): .*/g, '$1: X').split('\n')
      }
      // Docker's CLI has it since 29.
      const firewall = ' Firewall Backend: nftables'
      const ours = await lines(daemon.cli)
      assert.ok(ours.includes(firewall), ours.join('\n'))
      assert.deepEqual(
        ours.filter((line) => line !== firewall),
        await lines(['docker']),
      )
    })
  }
})
