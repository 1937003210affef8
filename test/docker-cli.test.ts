import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { RunOptions } from '@ctr/testkit'
import { freePort, requires, waitFor } from '@ctr/testkit'
import { checkResult, detach, useDaemon } from './daemon-fixture.ts'

// Docker's own, unmodified CLI as the client.
const skip = requires({ root: true, commands: ['docker'] })
const needsTerminal = skip || requires({ commands: ['script', 'stty'] })
const ctrd = useDaemon()
const tty = { rows: 33, columns: 91 }
const port = await freePort()

async function ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await ctrd().docker(args, options)
  checkResult({ code: 0 }, result)
  return result.stdout.replace(/\n$/, '')
}

test('docker version and info speak with the daemon', { skip }, async () => {
  assert.match(
    await ok(['version', '--format', '{{.Server.Os}} {{.Server.APIVersion}}']),
    /^linux 1\.\d+$/,
  )
  assert.match(await ok(['info', '--format', '{{.OSType}} {{.Driver}}']), /^linux overlay2$/)
})

test('docker run gives output, input and the exit code', { skip }, async () => {
  const script = 'cat; echo err >&2; exit 3'
  const result = await ctrd().docker(['run', '-i', '--rm', 'busybox', 'sh', '-c', script], {
    input: 'in\n',
  })
  checkResult({ code: 3, stdout: 'in\n', stderr: 'err\n' }, result)
})

test('docker run of a missing program ends with 127', { skip }, async () => {
  const result = await ctrd().docker(['run', '--rm', 'busybox', 'nosuch'])
  checkResult({ code: 127, stderr: /executable file not found in \$PATH/ }, result)
})

test('docker run -it is a terminal', { skip: needsTerminal }, async () => {
  await using session = ctrd().dockerSession(['run', '-it', '--rm', 'busybox', 'sh'], { tty })
  await session.waitFor('# ')
  session.write('tty; exit 4\n')
  await session.waitFor(/\/dev\/(pts\/0|console)/)
  assert.equal(await session.exited, 4)
})

test('docker run -it has the size of the window, and follows it', {
  skip: needsTerminal,
}, async () => {
  const script = 'trap "stty size" WINCH; stty size; while :; do sleep 0.05; done'
  await using session = ctrd().dockerSession(
    ['run', '-it', '--rm', 'busybox', 'sh', '-c', script],
    { tty },
  )
  await session.waitFor('33 91')
  await waitFor('the new size', async () => {
    // docker looks at the window from some moment after the start on only.
    await session.resize(40, 119)
    await session.resize(40, 120)
    await delay(300)
    return session.output.includes('40 120')
  })
})

test('docker run -d, ps, logs -f, stop, start, rm', { skip }, async () => {
  const script = 'echo one; echo two >&2; sleep 0.3; echo three; sleep 300'
  const id = await ok(['run', '-d', '--name', 'life', 'busybox', 'sh', '-c', script])
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.match(
    await ok(['ps', '--format', '{{.ID}} {{.Image}} {{.Status}} {{.Names}}']),
    /^[0-9a-f]{12} busybox Up .* life$/,
  )
  await using follow = ctrd().dockerSession(['logs', '-f', 'life'])
  await follow.waitFor('three')
  assert.equal(await ok(['stop', '-t', '0', 'life']), 'life')
  assert.equal(await follow.exited, 0)
  assert.match(await ok(['ps', '-a', '--format', '{{.Status}}']), /^Exited \(137\) /)
  await ok(['start', 'life'])
  assert.equal(await ok(['inspect', '-f', '{{.State.Running}}', 'life']), 'true')
  await ok(['rm', '-f', 'life'])
  assert.equal(await ok(['ps', '-aq']), '')
})

test('docker run -p publishes a port and docker port tells it', { skip }, async () => {
  const serve = 'mkdir /www; echo page >/www/index.html; httpd -f -h /www'
  await ok([
    'run',
    '-d',
    '--name',
    'web',
    '-p',
    `127.0.0.1:${port}:80`,
    'busybox',
    'sh',
    '-c',
    serve,
  ])
  const text = await waitFor('the page', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    return response?.ok === true ? await response.text() : undefined
  })
  assert.equal(text, 'page\n')
  assert.equal(await ok(['ps', '--format', '{{.Ports}}']), `127.0.0.1:${port}->80/tcp`)
})

test('docker run -v binds a directory and keeps a named volume', { skip }, async () => {
  const host = `${ctrd().root}/bound`
  mkdirSync(host)
  await ok([
    'run',
    '--rm',
    '-v',
    `${host}:/h`,
    '-v',
    'dvol:/d',
    'busybox',
    'sh',
    '-c',
    'echo x >/h/f; echo y >/d/f',
  ])
  assert.equal(readFileSync(`${host}/f`, 'utf8'), 'x\n')
  assert.equal(await ok(['run', '--rm', '-v', 'dvol:/d', 'busybox', 'cat', '/d/f']), 'y')
  assert.match(await ok(['volume', 'ls', '-q']), /^dvol$/m)
  await ok(['volume', 'rm', 'dvol'])
})

test('docker build takes its Dockerfile from a directory, and from stdin', { skip }, async () => {
  const context = `${ctrd().root}/context`
  mkdirSync(context)
  writeFileSync(`${context}/page`, 'x')
  writeFileSync(`${context}/Dockerfile`, 'FROM busybox\nCOPY page /page\n')
  const env = { DOCKER_BUILDKIT: '0' }
  assert.match(await ok(['build', context], { env }), /^Successfully built [0-9a-f]{12}$/m)
  // Its archive ends with the last byte of the Dockerfile.
  const input = 'FROM busybox\nCOPY page /other\nCMD ["cat", "/other"]\n'
  await ok(['build', '-t', 'frompipe', '-f', '-', context], { env, input })
  assert.equal(await ok(['run', '--rm', 'frompipe']), 'x')
})

test('docker exec, with a terminal and without', { skip: needsTerminal }, async () => {
  await ok(['run', '-d', '--name', 'ex', 'busybox', 'sleep', '300'])
  const result = await ctrd().docker(
    ['exec', '-i', '-e', 'A=1', 'ex', 'sh', '-c', 'cat; echo $A; exit 9'],
    { input: 'in\n' },
  )
  checkResult({ code: 9, stdout: 'in\n1\n' }, result)
  await using session = ctrd().dockerSession(['exec', '-it', 'ex', 'sh'], { tty })
  await session.waitFor('# ')
  session.write('echo $((40 + 2)); exit 5\n')
  await session.waitFor('42')
  assert.equal(await session.exited, 5)
})

test('docker attach joins, and Ctrl-P Ctrl-Q leaves', { skip: needsTerminal }, async () => {
  await ok(['run', '-dit', '--name', 'at', 'busybox', 'sh'])
  await using session = ctrd().dockerSession(['attach', 'at'], { tty })
  session.write('echo $((40 + 2))\n')
  await session.waitFor('42')
  await detach(session)
  assert.equal(await ok(['inspect', '-f', '{{.State.Running}}', 'at']), 'true')
})

test('docker kill, wait and inspect agree on the end', { skip }, async () => {
  await ok(['run', '-d', '--name', 'kl', 'busybox', 'sleep', '300'])
  const waiting = ctrd().docker(['wait', 'kl'])
  await ok(['kill', '-s', 'KILL', 'kl'])
  checkResult({ stdout: '137\n' }, await waiting)
  assert.equal(
    await ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'kl']),
    'exited 137',
  )
})

test('docker commit, save, load and rmi', { skip }, async () => {
  await ok(['run', '--name', 'cm', 'busybox', 'touch', '/made'])
  await ok(['commit', '-m', 'message', '-c', 'ENV X=1', 'cm', 'made:1'])
  const file = `${ctrd().root}/made.tar`
  await ok(['save', '-o', file, 'made:1'])
  await ok(['rmi', 'made:1'])
  assert.equal(await ok(['load', '-i', file]), 'Loaded image: made:1')
  assert.equal(await ok(['run', '--rm', 'made:1', 'sh', '-c', 'ls /made; echo $X']), '/made\n1')
  await ok(['rmi', 'made:1'])
  assert.doesNotMatch(await ok(['images', '--format', '{{.Repository}}']), /made/)
})

test('docker events tells the life of a container in order', { skip }, async () => {
  const since = String(Date.now() / 1000)
  await ok(['run', '--rm', '--name', 'ev', 'busybox', 'true'])
  const actions = await waitFor('the last event', async () => {
    const until = String(Date.now() / 1000)
    const out = await ok([
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'container=ev',
      '--format',
      '{{.Action}}',
    ])
    return out.includes('destroy') ? out.split('\n') : undefined
  })
  assert.deepEqual(
    actions.filter((action) => action !== 'attach'),
    ['create', 'start', 'die', 'destroy'],
  )
})

test('docker inspect of something unknown is an error with an empty list', { skip }, async () => {
  checkResult(
    { code: 1, stdout: '[]\n', stderr: /No such object: nope/i },
    await ctrd().docker(['inspect', 'nope']),
  )
})

test('docker images, history and tag', { skip }, async () => {
  await ok(['tag', 'busybox', 'second:name'])
  assert.match(await ok(['images', '--format', '{{.Repository}}:{{.Tag}}']), /^second:name$/m)
  assert.match(await ok(['history', '-q', 'second:name']), /^[0-9a-f]{12}/)
  assert.equal(await ok(['rmi', 'second:name']), 'Untagged: second:name')
})
