import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Drive, driver, request } from './client.ts'
import { compile } from './compile.ts'

const folder = mkdtempSync(join(tmpdir(), 'ctr-client-'))
const socket = join(folder, 's')
const usage = join(folder, 'usage')
let drive: Drive
let seen: string[] = []
let connections = 0

const server = createServer((asked: IncomingMessage, answer: ServerResponse) => {
  let body = ''
  asked.on('data', (chunk: Buffer) => {
    body += chunk.toString()
  })
  asked.on('end', () => {
    seen.push(`${asked.method} ${asked.url} ${body}`.trimEnd())
    answers[new URL(asked.url ?? '', 'http://d').pathname.replace('/v1.41', '')]?.(answer)
  })
})
server.on('connection', () => {
  connections += 1
})

/** Every way in which an engine frames a body. */
const answers: Record<string, (answer: ServerResponse) => void> = {
  '/_ping': (answer) => answer.end('OK'),
  '/whole': (answer) => answer.end(JSON.stringify({ Id: 'abc' })),
  '/chunks': (answer) => {
    answer.write('{"Id":')
    setTimeout(() => answer.end(`"${'f'.repeat(64)}","rest":"${'x'.repeat(200_000)}"}`), 20)
  },
  '/none': (answer) => answer.writeHead(204).end(),
  '/open-end': (answer) => {
    answer.socket?.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it')
  },
  '/missing': (answer) => answer.writeHead(404).end('{"message":"no such thing"}'),
  '/cut': (answer) => answer.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!'),
}

before(async () => {
  drive = driver(compile('client', folder))
  writeFileSync(usage, '5000000\n')
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve)
  })
})

after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const run = async (
  ...[requests, options]: [string[], Parameters<Drive>[2]?]
): ReturnType<Drive> => {
  seen = []
  connections = 0
  return drive({ socket, cpu: { usage } }, requests, options)
}

test('the client sends its requests in turn over one connection, with the Id of the last answer and its turn', async () => {
  const requests = [
    request('POST', '/whole?name=n{n}', { Cmd: ['true'] }),
    request('POST', '/none?of={Id}'),
    request('GET', '/chunks'),
    request('DELETE', '/none?of={Id}'),
  ]
  const traffic = await run(requests, { times: 2 })
  const turn = (n: number): string[] => [
    `POST /v1.41/whole?name=n${n} {"Cmd":["true"]}`,
    'POST /v1.41/none?of=abc',
    'GET /v1.41/chunks',
    `DELETE /v1.41/none?of=${'f'.repeat(64)}`,
  ]
  assert.deepEqual(seen, ['GET /v1.41/_ping', ...turn(0), ...turn(1)])
  assert.equal(connections, 1)
  assert.equal(traffic.cpuMs, 0)
  assert.equal(traffic.requests.length, requests.length)
  // The chunked answer takes 20 ms, twice.
  assert.ok((traffic.requests[2]?.least ?? 0) >= 19)
  assert.ok(traffic.ms >= 38)
})

test('clients work side by side, and number their turns together', async () => {
  await run([request('GET', '/chunks?{n}')], { clients: 4, times: 3 })
  assert.equal(connections, 4)
  const turns = seen.flatMap((line) => /chunks\?(\d+)/.exec(line)?.[1] ?? []).map(Number)
  assert.deepEqual(
    turns.toSorted((a, b) => a - b),
    [...Array(12).keys()],
  )
})

test('an answer that ends with its connection is complete, and the next request has a new one', async () => {
  const traffic = await run([request('GET', '/open-end'), request('GET', '/whole')], { times: 2 })
  assert.equal(connections, 3)
  assert.equal(traffic.requests.length, 2)
})

test('a refusal and an answer that is cut off end the client with what was asked and answered', async () => {
  await assert.rejects(run([request('GET', '/missing')]), /GET \/missing: 404 .*no such thing/)
  await assert.rejects(run([request('GET', '/cut')]), /GET \/cut: the connection ends before/)
})

test('without the figures of a control group there is no CPU time', async () => {
  const traffic = await drive({ socket, cpu: { usage: '' } }, [request('GET', '/whole')])
  assert.ok(Number.isNaN(traffic.cpuMs))
})

test('a client without requests says how it is used', () => {
  assert.throws(
    () => execFileSync(join(folder, 'client-bin'), [], { stdio: 'pipe' }),
    /usage: client SOCKET/,
  )
})
