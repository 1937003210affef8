import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:http'
import { get as getTls } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { freePort, requires, startDaemon, waitFor } from '@ctr/testkit'
import { WebSocket } from 'ws'

const root = { skip: requires({ root: true }) }
const openssl = { skip: requires({ root: true, commands: ['openssl', 'docker'] }) }
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const units = fileURLToPath(new URL('../../../contrib/systemd', import.meta.url))

const directory = mkdtempSync('/tmp/ctr-daemon-listen-')
after(() => rmSync(directory, { recursive: true }))

interface Answer {
  readonly status: number
  readonly text: string
}

async function fetchOver(
  start: typeof get,
  options: RequestOptions & Record<string, unknown>,
): Promise<Answer> {
  const [response] = await once(start({ ...options, agent: false }), 'response')
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode, text }
}

test('plain TCP: on loopback with a warning, not for web pages', root, async () => {
  const port = await freePort()
  await using daemon = await startDaemon({
    bridge: false,
    args: ['-H', `tcp://127.0.0.1:${port}`],
  })
  assert.match(daemon.log, /"level":"warn".*listening without TLS/)
  const ask = (headers: Record<string, string>): Promise<Answer> =>
    fetchOver(get, { host: '127.0.0.1', port, path: '/_ping', headers })
  assert.equal((await ask({})).text, 'OK')
  // DNS rebinding: the page's name points at 127.0.0.1 now.
  const rebound = await ask({ host: `evil.example:${port}` })
  assert.equal(rebound.status, 403)
  assert.match(rebound.text, /is not a name of this machine/)
  assert.equal((await ask({ origin: 'http://evil.example' })).status, 403)
  assert.equal((await ask({ origin: `http://127.0.0.1:${port}` })).status, 200)

  const url = `ws://127.0.0.1:${port}/events?since=0&until=1`
  const stranger = new WebSocket(url, { origin: 'https://evil.example' })
  const [, response] = await once(stranger, 'unexpected-response')
  assert.equal(response.statusCode, 403)
  stranger.on('error', () => undefined)
  stranger.terminate()
  const script = new WebSocket(url)
  const [code] = await once(script, 'close')
  assert.equal(code, 1000)
  // The hijack's listener has the same checks.
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /containers/x/attach HTTP/1.1\r\nHost: evil\r\nUpgrade: tcp\r\n\r\n')
  const [first] = await once(socket, 'data')
  assert.match(String(first), /^HTTP\/1.1 403 /)
  socket.destroy()
})

test('TLS: clients need a certificate of the CA', openssl, async () => {
  const run = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  for (const ca of ['ca', 'other']) {
    run(
      'req',
      '-x509',
      ...key,
      '-subj',
      `/CN=${ca}`,
      '-keyout',
      `${ca}-key.pem`,
      '-out',
      `${ca}.pem`,
    )
  }
  const san = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
  for (const [name, ca] of [
    ['server', 'ca'],
    ['client', 'ca'],
    ['stranger', 'other'],
  ] as const) {
    const files = ['-keyout', `${name}-key.pem`, '-out', `${name}.pem`]
    const signed = ['-CA', `${ca}.pem`, '-CAkey', `${ca}-key.pem`, '-addext', san]
    run('req', '-x509', ...key, '-subj', `/CN=${name}`, ...signed, ...files)
  }
  const read = (name: string): Buffer => readFileSync(join(directory, name))
  const port = await freePort()
  await using daemon = await startDaemon({
    bridge: false,
    args: [
      '-H',
      `tcp://127.0.0.1:${port}`,
      '--tlsverify',
      '--tlscacert',
      join(directory, 'ca.pem'),
      '--tlscert',
      join(directory, 'server.pem'),
      '--tlskey',
      join(directory, 'server-key.pem'),
    ],
  })
  const ca = read('ca.pem')
  const mine = { cert: read('client.pem'), key: read('client-key.pem') }
  const options = { host: '127.0.0.1', port, path: '/_ping', ca }
  assert.equal((await fetchOver(getTls as typeof get, { ...options, ...mine })).text, 'OK')
  await assert.rejects(fetchOver(getTls as typeof get, options))
  const stranger = { cert: read('stranger.pem'), key: read('stranger-key.pem') }
  await assert.rejects(fetchOver(getTls as typeof get, { ...options, ...stranger }))
  const plain = await fetchOver(get, { host: '127.0.0.1', port, path: '/_ping' }).catch(
    () => undefined,
  )
  assert.notEqual(plain?.status, 200)

  await daemon.request('POST', '/containers/create?name=through', {
    Image: 'busybox',
    Cmd: ['cat'],
    OpenStdin: true,
    StdinOnce: true,
  })
  const docker = [
    '--tlsverify',
    '--tlscacert',
    'ca.pem',
    '--tlscert',
    'client.pem',
    '--tlskey',
    'client-key.pem',
  ]
  const host = ['-H', `tcp://127.0.0.1:${port}`]
  const output = execFileSync('docker', [...host, ...docker, 'start', '-ai', 'through'], {
    cwd: directory,
    input: 'through TLS\n',
    encoding: 'utf8',
    env: { ...process.env, DOCKER_HOST: '' },
    timeout: 120_000,
  })
  assert.equal(output, 'through TLS\n')

  // A new certificate is taken over by SIGHUP.
  const files = ['-keyout', 'server-key.pem', '-out', 'server.pem']
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-addext', san]
  run('req', '-x509', ...key, '-subj', '/CN=renewed', ...signed, ...files)
  process.kill(daemon.pid, 'SIGHUP')
  await waitFor('the new certificate', async () => {
    const socket = connectTls({ host: '127.0.0.1', port, ca, ...mine })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN === 'renewed'
  })
})

test('TLS files that are missing are named', root, async () => {
  const args = ['-H', 'tcp://127.0.0.1:0', '--tls', '--tlscert', '/nonexistent/cert.pem']
  await assert.rejects(startDaemon({ bridge: false, args }), {
    message: /could not read the TLS certificate: .*\/nonexistent\/cert.pem/,
  })
})

/** Binds a unix datagram socket and prints what arrives. */
const NOTIFY_RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True: print(repr(s.recv(4096).decode()), flush=True)
`

const activation = {
  skip: requires({ root: true, commands: ['systemd-socket-activate', 'python3'] }),
}

test('socket activation, and what the service manager is told', activation, async () => {
  const path = (name: string): string => join(directory, name)
  const receiver = spawn('python3', ['-c', NOTIFY_RECEIVER, path('notify')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  receiver.stdout.on('data', (chunk) => {
    told += chunk
  })
  const config = path('fd.json')
  writeFileSync(config, '{}')
  await waitFor('the receiver', async () => told.includes('bound'))
  const args = [
    '-H',
    'fd://',
    '--bridge',
    'none',
    '--config-file',
    config,
    '--data-root',
    path('data'),
    '--exec-root',
    path('run'),
    '--pidfile',
    path('pid'),
    '--cgroup-parent',
    '/ctr-listen-test',
  ]
  const activator = spawn(
    'systemd-socket-activate',
    [
      '-l',
      path('api.sock'),
      '-E',
      `NOTIFY_SOCKET=${path('notify')}`,
      '-E',
      'WATCHDOG_USEC=200000',
      '-E',
      `PATH=${process.env['PATH']}`,
      process.execPath,
      main,
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  activator.stderr.on('data', (chunk) => {
    log += chunk
  })
  try {
    await waitFor('the socket', async () => existsSync(path('api.sock')))
    // The first connection starts the daemon, and waits in the socket's queue for it.
    const ping = await fetchOver(get, { socketPath: path('api.sock'), path: '/_ping' }).catch(
      (error: unknown) => assert.fail(`${String(error)}\n${log}`),
    )
    assert.equal(ping.text, 'OK')
    await waitFor('READY', async () => /'READY=1\\nSTATUS=Ready'/.test(told))
    assert.ok(told.indexOf('STATUS=Restoring') < told.indexOf('READY=1'))
    await waitFor('a sign of life', async () => told.includes("'WATCHDOG=1'"))
    // systemd-socket-activate executes: it is the daemon now.
    const pid = Number(readFileSync(path('pid'), 'utf8'))
    assert.equal(pid, activator.pid)

    process.kill(pid, 'SIGHUP')
    await waitFor('RELOADING', async () => /'RELOADING=1\\nMONOTONIC_USEC=\d+'/.test(told))
    await waitFor(
      'READY again',
      async () => told.lastIndexOf('READY=1') > told.indexOf('RELOADING'),
    )
    activator.kill('SIGTERM')
    await once(activator, 'exit')
    await waitFor('STOPPING', async () => told.includes("'STOPPING=1"))
    // It is systemd's socket.
    assert.equal(existsSync(path('api.sock')), true)
  } finally {
    activator.kill('SIGKILL')
    receiver.kill()
    execFileSync('sh', [
      '-c',
      'find /sys/fs/cgroup -depth -type d -name ctr-listen-test -exec rmdir {} + || true',
    ])
  }
})

test('metrics have the names of dockerd', root, async () => {
  const port = await freePort()
  await using daemon = await startDaemon({
    bridge: false,
    args: ['--metrics-addr', `127.0.0.1:${port}`],
  })
  const scrape = (path = '/metrics'): Promise<Answer> =>
    fetchOver(get, { host: '127.0.0.1', port, path })
  await daemon.request('POST', '/containers/create?name=counted', {
    Image: 'busybox',
    Cmd: ['sleep', '100000'],
  })
  await daemon.request('POST', '/containers/counted/start')
  await daemon.request('POST', '/containers/nosuch/start')
  const { text } = await scrape()
  for (const line of [
    /^engine_daemon_container_states_containers{state="running"} 1$/m,
    /^engine_daemon_container_actions_seconds_count{action="create"} 1$/m,
    /^engine_daemon_container_actions_seconds_count{action="start"} 1$/m,
    /^engine_daemon_container_actions_seconds_bucket{action="delete",le="\+Inf"} 0$/m,
    /^engine_daemon_engine_info{architecture=".*",daemon_id="[0-9a-f-]{36}",.*} 1$/m,
    /^engine_daemon_engine_cpus_cpus [1-9]/m,
    /^engine_daemon_engine_memory_bytes [1-9]/m,
    /^engine_daemon_events_total [1-9]/m,
    /^engine_daemon_events_subscribers_total 0$/m,
    /^engine_daemon_network_actions_seconds_count{action="create"} 0$/m,
    /^engine_daemon_image_actions_seconds_count{action="pull"} 0$/m,
    /^engine_daemon_host_info_functions_seconds_count{function="system_info"} 0$/m,
  ]) {
    assert.match(text, line)
  }
  // Every line is a comment or a sample.
  for (const line of text.trimEnd().split('\n')) assert.match(line, /^(#.*|\w+({.*})? [0-9.e+-]+)$/)
  assert.equal((await scrape('/containers/json')).status, 404)
})

test('without activation fd:// is refused', root, async () => {
  await assert.rejects(startDaemon({ bridge: false, args: ['-H', 'fd://'] }), {
    message: /no sockets found via socket activation/,
  })
})

test('systemd accepts the units', { skip: requires({ commands: ['systemd-analyze'] }) }, () => {
  const service = readFileSync(join(units, 'ctrd.service'), 'utf8')
  for (const line of ['Type=notify', 'Delegate=yes', 'KillMode=process', 'TasksMax=infinity']) {
    assert.ok(service.split('\n').includes(line), line)
  }
  // The program is not installed here; everything else must be right.
  const copy = mkdtempSync(join(directory, 'units-'))
  writeFileSync(join(copy, 'ctrd.service'), service.replace('/usr/bin/ctrd', '/bin/true'))
  writeFileSync(join(copy, 'ctrd.socket'), readFileSync(join(units, 'ctrd.socket')))
  const result = execFileSync(
    'systemd-analyze',
    ['verify', '--recursive-errors=no', join(copy, 'ctrd.service'), join(copy, 'ctrd.socket')],
    { encoding: 'utf8', stdio: 'pipe' },
  )
  assert.equal(result, '')
})
