import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, Session, waitFor } from '@ctr/testkit'
import { checkResult, detach, field, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const needsTerminal = skip || requires({ commands: ['script', 'stty'] })
const ctrd = useDaemon({ bridge: false })
const tty = { rows: 33, columns: 91 }

test('-i passes stdin on, and without it stdin is empty', { skip }, async () => {
  checkResult(
    { stdout: 'hi\n' },
    await ctrd().ctr(['run', '-i', '--rm', 'busybox', 'cat'], { input: 'hi\n' }),
  )
  checkResult(
    { stdout: '' },
    await ctrd().ctr(['run', '--rm', 'busybox', 'cat'], { input: 'hi\n' }),
  )
})

test('five megabytes of any bytes go in and come out unchanged', { skip }, async () => {
  const data = Buffer.alloc(5_000_000)
  for (let index = 0; index < data.length; index++) data[index] = (index * 31 + (index >> 8)) & 255
  const result = await ctrd().ctr(['run', '-i', '--rm', 'busybox', 'cat'], { input: data })
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  assert.equal(result.stdoutBytes.length, data.length)
  assert.equal(digest(result.stdoutBytes), digest(data))
})

test('stdout and stderr stay apart', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--rm', 'busybox', 'sh', '-c', 'echo o; echo e >&2'])
  checkResult({ stdout: 'o\n', stderr: 'e\n' }, result)
})

test('nothing of the engine is in the output of a container', { skip }, async () => {
  checkResult(
    { stdout: 'hi\n', stderr: '' },
    await ctrd().ctr(['run', '--rm', 'busybox', 'echo', 'hi']),
  )
})

test('-t gives a terminal of the container’s own', { skip }, async () => {
  const script = 'tty; test -t 0 && echo isatty'
  const result = await ctrd().ctr(['run', '--rm', '-t', 'busybox', 'sh', '-c', script])
  assert.match(result.stdout, /^\/dev\/pts\/0\r\nisatty\r\n$|^\/dev\/console\r\nisatty\r\n$/)
  checkResult(
    { code: 1, stdout: 'not a tty\n' },
    await ctrd().ctr(['run', '--rm', 'busybox', 'tty']),
  )
})

test('the terminal has the right size from the first instruction on', {
  skip: needsTerminal,
}, async () => {
  await using session = ctrd().session(['run', '-it', '--rm', 'busybox', 'stty', 'size'], { tty })
  assert.equal(await session.exited, 0)
  assert.match(session.output, /33 91/)
})

test('a change of the window reaches the program as SIGWINCH', {
  skip: needsTerminal,
}, async () => {
  const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done'
  await using session = ctrd().session(
    ['run', '-it', '--rm', '--name', 'ww', 'busybox', 'sh', '-c', script],
    { tty },
  )
  await session.waitFor('ready')
  await session.resize(40, 120)
  await session.waitFor('40 120')
})

test('the terminal of the user is as before, however run ends', {
  skip: needsTerminal,
}, async () => {
  const commands = ['true', 'sh -c "exit 3"', 'nosuch']
  for (const command of commands) {
    const script = `stty -g; ${ctrd().cli.join(' ')} run -it --rm busybox ${command}; stty -g`
    await using session = new Session(['sh', '-c', script], { tty, env: ctrd().clientEnvironment })
    await session.exited
    const states = session.output.match(/^[0-9a-f]+(:[0-9a-f]+)+/gm) ?? []
    assert.equal(states.length, 2, session.output)
    assert.equal(states[0], states[1])
  }
})

test('Ctrl-C interrupts the foreground program and not the shell', {
  skip: needsTerminal,
}, async () => {
  await using session = ctrd().session(['run', '-it', '--rm', 'busybox', 'sh'], { tty })
  await session.waitFor('# ')
  session.write('sleep 100\n')
  await session.waitFor('sleep 100')
  await waitFor('the sleep', async () => {
    const id = await ctrd().ok(['ps', '-lq'])
    return (await ctrd().ok(['exec', id, 'ps'])).includes('sleep 100')
  })
  session.write('\x03')
  session.write('echo still $((40 + 2))\n')
  await session.waitFor('still 42')
  session.write('exit 5\n')
  assert.equal(await session.exited, 5)
})

test('the log keeps both streams apart, follows to the end, and goes with the container', {
  skip,
}, async () => {
  const script = 'echo out1; echo err1 >&2; until [ -e /go ]; do sleep 0.05; done; echo out2'
  await ctrd().ok(['run', '-d', '--name', 'll', 'busybox', 'sh', '-c', script])
  const following = ctrd().ctr(['logs', '-f', 'll'])
  await waitFor('the first lines', async () => {
    const { stdout, stderr } = await ctrd().ctr(['logs', 'll'])
    return stdout + stderr === 'out1\nerr1\n'
  })
  await ctrd().ok(['exec', 'll', 'touch', '/go'])
  checkResult({ stdout: 'out1\nout2\n', stderr: 'err1\n' }, await following)
  assert.equal(await ctrd().ok(['logs', '--tail', '1', 'll']), 'out2')
  const path = await field(ctrd(), 'll', '{{.LogPath}}')
  const records = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  assert.deepEqual(records.map(({ log, stream }) => `${stream} ${log}`).toSorted(), [
    'stderr err1\n',
    'stdout out1\n',
    'stdout out2\n',
  ])
  for (const { time } of records) assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/)
  await ctrd().ok(['rm', 'll'])
  assert.ok(!existsSync(path))
})

test('logs --timestamps, --since and --until select by time', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'tt', 'busybox', 'sh', '-c', 'echo one; sleep 1.1; echo two'])
  const stamped = await ctrd().ok(['logs', '-t', 'tt'])
  const [first = '', second = ''] = stamped.split('\n').map((line) => line.split(' ')[0] ?? '')
  assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  assert.equal(await ctrd().ok(['logs', '--since', second, 'tt']), 'two')
  assert.equal(await ctrd().ok(['logs', '--until', first, 'tt']), 'one')
})

test('a user without rights may open its standard streams again', { skip }, async () => {
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '-u',
    '1000',
    'busybox',
    'sh',
    '-c',
    'echo hi >/dev/stdout; echo ho >/dev/stderr',
  ])
  checkResult({ stdout: 'hi\n', stderr: 'ho\n' }, result)
})

test('attach talks to a running container and leaves it open for the next', { skip }, async () => {
  const script = 'while read l; do echo got $l; done; echo end'
  await ctrd().ok(['run', '-d', '-i', '--name', 'aa', 'busybox', 'sh', '-c', script])
  for (const word of ['one', 'two']) {
    await using session = ctrd().session(['attach', 'aa'])
    session.write(`${word}\n`)
    await session.waitFor(`got ${word}`)
  }
  assert.equal(await ctrd().ok(['logs', 'aa']), 'got one\ngot two')
})

test('Ctrl-P Ctrl-Q leaves a container running', { skip: needsTerminal }, async () => {
  await using session = ctrd().session(['run', '-it', '--name', 'dd', 'busybox', 'sh'], { tty })
  await session.waitFor('# ')
  assert.equal(await detach(session), 0)
  assert.equal(await field(ctrd(), 'dd', '{{.State.Status}}'), 'running')
  await using again = ctrd().session(['attach', 'dd'], { tty })
  again.write('echo back $((1 + 1))\n')
  await again.waitFor('back 2')
  again.write('exit\n')
  assert.equal(await again.exited, 0)
})

test('-t without a terminal on stdin is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '-it', '--rm', 'busybox', 'true'], { input: '' })
  checkResult({ code: 1, stderr: /the input device is not a TTY/ }, result)
})

test('a client that goes away does not stop its container', { skip }, async () => {
  const session = ctrd().session([
    'run',
    '--name',
    'left',
    'busybox',
    'sh',
    '-c',
    'echo ready; sleep 300',
  ])
  await session.waitFor('ready')
  await session[Symbol.asyncDispose]()
  assert.equal(await field(ctrd(), 'left', '{{.State.Status}}'), 'running')
})

test('a container that writes more than anybody reads is not stopped by it', { skip }, async () => {
  await ctrd().ok([
    'run',
    '-d',
    '--name',
    'loud',
    'busybox',
    'sh',
    '-c',
    'seq 1 200000; echo finished >&2; sleep 300',
  ])
  const expected = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('')
  let stdout = ''
  await waitFor('the end of the output', async () => {
    // Its two streams have no order.
    const result = await ctrd().ctr(['logs', 'loud'])
    stdout = result.stdout
    return result.stderr !== '' && stdout.length >= expected.length
  })
  assert.ok(stdout === expected, `${stdout.length} bytes of ${expected.length}`)
})
