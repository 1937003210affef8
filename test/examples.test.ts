import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run, Session } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

// What the README shows must work as it stands there.
const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })
const script = `${import.meta.dirname}/../examples/attach-ws.mjs`
const attachCommand = (container: string): string[] => [
  process.execPath,
  script,
  container,
  ctrd().socketPath,
]

test('the WebSocket script attaches a terminal to a shell', {
  skip: skip || requires({ commands: ['script', 'stty'] }),
}, async () => {
  await ctrd().ok(['run', '-dit', '--name', 'box', 'busybox', 'sh'])
  await using session = new Session(attachCommand('box'), { tty: { rows: 24, columns: 80 } })
  await session.waitFor('# ')
  session.write('echo $((40 + 2)) in $(hostname)\r')
  await session.waitFor(/42 in [0-9a-f]{12}/)
  session.write('exit\r')
  assert.equal(await session.exited, 0)
})

test('the WebSocket script ends with 1 for an unknown container', { skip }, async () => {
  const result = await run(attachCommand('nope'))
  assert.equal(result.code, 1)
  assert.match(result.stderr, /404/)
})

test('the WebSocket script has at most 15 lines of code', () => {
  const code = readFileSync(script, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('//'))
  assert.ok(code.length <= 15, String(code.length))
})

test('curl creates, starts, waits for, reads and removes a container', {
  skip: skip || requires({ commands: ['curl'] }),
}, async () => {
  const curl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run([
      'curl',
      '-sS',
      '--fail-with-body',
      '--unix-socket',
      ctrd().socketPath,
      ...args,
    ])
    assert.equal(code, 0, stdout + stderr)
    return stdout
  }
  const document = '{"Image":"busybox","Cmd":["echo","hello from curl"],"Tty":true}'
  await curl(
    '-H',
    'Content-Type: application/json',
    '-d',
    document,
    'http://ctr/containers/create?name=curled',
  )
  await curl('-X', 'POST', 'http://ctr/containers/curled/start')
  assert.equal(
    (
      JSON.parse(await curl('-X', 'POST', 'http://ctr/containers/curled/wait')) as {
        StatusCode: number
      }
    ).StatusCode,
    0,
  )
  assert.equal(await curl('http://ctr/containers/curled/logs?stdout=1'), 'hello from curl\r\n')
  await curl('-X', 'DELETE', 'http://ctr/containers/curled')
})

test('curl gets a readable error', { skip: skip || requires({ commands: ['curl'] }) }, async () => {
  const { stdout } = await run([
    'curl',
    '-sS',
    '--unix-socket',
    ctrd().socketPath,
    'http://ctr/containers/nope/json',
  ])
  assert.deepEqual(JSON.parse(stdout), { message: 'No such container: nope' })
})

test('/openapi.json describes the API', { skip }, async () => {
  const document = (await ctrd().request('GET', '/openapi.json')).json() as {
    openapi: string
    paths: Record<string, unknown>
  }
  assert.match(document.openapi, /^3\./)
  assert.ok('/containers/create' in document.paths)
})
