import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { checkResult } from './daemon-fixture.ts'
import { useUnchangedDaemon } from './unchanged-daemon.ts'

// Whatever comes in: a clear message, the right code, nothing changed, the daemon alive.
const skip = requires({ root: true })
const ctrd = useUnchangedDaemon()
async function create(body: unknown, name = ''): Promise<{ status: number; message: string }> {
  const path = `/containers/create${name === '' ? '' : `?name=${encodeURIComponent(name)}`}`
  const response = await ctrd().request('POST', path, body)
  const answer = response.json() as { message?: string; Id?: string }
  if (answer.Id !== undefined)
    await ctrd().request('DELETE', `/containers/${answer.Id}?force=1&v=1`)
  return { status: response.status, message: answer.message ?? '' }
}

const config = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  Image: 'busybox',
  Cmd: ['true'],
  ...more,
})
const host = (hostConfig: Record<string, unknown>): Record<string, unknown> =>
  config({ HostConfig: hostConfig })

const refusedBodies: { name: string; body: unknown; status: number; message: RegExp }[] = [
  {
    name: 'an unknown image',
    body: config({ Image: 'nope' }),
    status: 404,
    message: /^No such image: nope:latest$/,
  },
  {
    name: 'an image name that is none',
    body: config({ Image: 'A B' }),
    status: 400,
    message: /invalid reference format/,
  },
  { name: 'no image', body: { Cmd: ['true'] }, status: 400, message: /./ },
  {
    name: 'no command and none in the image',
    body: config({ Cmd: [], Entrypoint: [''] }),
    status: 400,
    message: /[Nn]o command specified/,
  },
  { name: 'a command that is a number', body: config({ Cmd: 7 }), status: 400, message: /Cmd/ },
  {
    name: 'a command with a number in it',
    body: config({ Cmd: ['a', 7] }),
    status: 400,
    message: /Cmd/,
  },
  {
    name: 'a variable without a name',
    body: config({ Env: ['=x'] }),
    status: 400,
    message: /invalid environment variable/,
  },
  {
    name: 'an environment that is an object',
    body: config({ Env: { A: 1 } }),
    status: 400,
    message: /Env/,
  },
  { name: 'memory as text', body: host({ Memory: 'lots' }), status: 400, message: /Memory/ },
  {
    name: 'memory below the minimum',
    body: host({ Memory: 4096 }),
    status: 400,
    message: /Minimum memory limit allowed is 6MB/,
  },
  {
    name: 'a processor list that is none',
    body: host({ CpusetCpus: '0-' }),
    status: 400,
    message: /[Ii]nvalid value 0- for cpuset cpus/,
  },
  {
    name: 'a port that is no number',
    body: host({ PortBindings: { '80/tcp': [{ HostPort: 'x' }] } }),
    status: 400,
    message: /port/i,
  },
  {
    name: 'a port beyond the last',
    body: host({ PortBindings: { '80/tcp': [{ HostPort: '70000' }] } }),
    status: 400,
    message: /port/i,
  },
  {
    name: 'a container port of an unknown protocol',
    body: host({ PortBindings: { '80/xyz': [{ HostPort: '8080' }] } }),
    status: 400,
    message: /proto/i,
  },
  {
    name: 'a bind to a relative target',
    body: host({ Binds: ['/tmp:rel'] }),
    status: 400,
    message: /mount path must be absolute/,
  },
  {
    name: 'a bind mode that is none',
    body: host({ Binds: ['/tmp:/x:zz'] }),
    status: 400,
    message: /invalid mode: zz/,
  },
  {
    name: 'a bind of a volume with a slash',
    body: host({ Binds: ['a/b:/x'] }),
    status: 400,
    message: /"a\/b" includes invalid characters for a local volume name/,
  },
  {
    name: 'a mount of an unknown type',
    body: host({ Mounts: [{ Type: 'floppy', Target: '/x' }] }),
    status: 400,
    message: /mount type unknown/,
  },
  {
    name: 'two mounts on one target',
    body: host({ Binds: ['/tmp:/x', '/run:/x'] }),
    status: 400,
    message: /Duplicate mount point: \/x/,
  },
  {
    name: 'an unknown capability',
    body: host({ CapAdd: ['BOGUS'] }),
    status: 400,
    message: /unknown capability: "CAP_BOGUS"/,
  },
  {
    name: 'an unknown security option',
    body: host({ SecurityOpt: ['bogus=1'] }),
    status: 400,
    message: /invalid --security-opt/,
  },
  {
    name: 'an unknown restart policy',
    body: host({ RestartPolicy: { Name: 'sometimes' } }),
    status: 400,
    message: /invalid restart policy/,
  },
  {
    name: 'a relative working directory',
    body: config({ WorkingDir: 'rel' }),
    status: 400,
    message: /working directory 'rel' is invalid/,
  },
  {
    name: 'a stop signal that is none',
    body: config({ StopSignal: 'SIGNOPE' }),
    status: 400,
    message: /Invalid signal: SIGNOPE/i,
  },
  { name: 'a body that is a list', body: [], status: 400, message: /./ },
  { name: 'a body that is text', body: 'not json', status: 400, message: /./ },
  { name: 'a body cut short', body: '{"Image":"busybox","Cmd":["tr', status: 400, message: /./ },
  {
    name: 'a NUL in the command',
    body: config({ Cmd: ['a\u0000b'] }),
    status: 400,
    message: /NUL|null|invalid/i,
  },
]
const withNul: Record<string, unknown>[] = [
  config({ WorkingDir: '/a\0b' }),
  config({ User: '0\0' }),
  config({ Domainname: 'a\0b' }),
  config({ Volumes: { '/a\0b': {} } }),
  config({ Healthcheck: { Test: ['CMD', 'a\0b'] } }),
  config({ Env: ['A=b\0c'] }),
  config({ Shell: ['/bin/sh\0'] }),
  config({ NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ['a\0b'] } } } }),
  host({ MaskedPaths: ['/a\0b'] }),
  host({ ReadonlyPaths: ['/a\0b'] }),
  host({ Tmpfs: { '/a\0b': '' } }),
  host({ Tmpfs: { '/a': 'size=1m\0' } }),
  host({ DnsSearch: ['a\0b'] }),
  host({ DnsOptions: ['a\0b'] }),
  host({ ExtraHosts: ['a\0b:10.0.0.1'] }),
  host({ CpusetCpus: '0\0' }),
  host({ Sysctls: { 'net.ipv4.ip_forward': '1\0' } }),
  host({ Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/a\0b' }] }),
  host({ DeviceCgroupRules: ['a *:* rwm\0'] }),
  host({ GroupAdd: ['0\0'] }),
  host({ Mounts: [{ Type: 'bind', Source: '/tmp\0', Target: '/a' }] }),
  host({ Mounts: [{ Type: 'volume', Target: '/a\0b' }] }),
  host({ Mounts: [{ Type: 'tmpfs', Target: '/a\0b' }] }),
]
for (const body of withNul) {
  const fields = (body['HostConfig'] ?? body) as Record<string, unknown>
  const [name, value] = Object.entries(fields).at(-1) ?? []
  refusedBodies.push({
    name: `a NUL in ${name}: ${JSON.stringify(value)}`,
    body,
    status: 400,
    message: /./,
  })
}

for (const { name, body, status, message } of refusedBodies) {
  test(`create with ${name} answers ${status}`, { skip }, async () => {
    const raw = typeof body === 'string'
    const response = raw
      ? await ctrd().request('POST', '/containers/create', body, {
          headers: { 'content-type': 'application/json' },
        })
      : undefined
    const answer =
      response === undefined
        ? await create(body)
        : { status: response.status, message: (response.json() as { message: string }).message }
    assert.equal(answer.status, status, answer.message)
    assert.match(answer.message, message)
  })
}

test('a name in use answers 409', { skip }, async () => {
  const first = await ctrd().request('POST', '/containers/create?name=taken', config())
  assert.equal(first.status, 201)
  const { status, message } = await create(config(), 'taken')
  assert.equal(status, 409)
  assert.match(message, /^Conflict\. The container name "\/taken" is already in use by container /)
  await ctrd().ok(['rm', 'taken'])
})

test('a name that is none answers 400', { skip }, async () => {
  for (const name of ['a/b', '../x', '-x', 'a b', 'ü', 'a\u0000b']) {
    const { status, message } = await create(config(), name)
    assert.equal(status, 400, name)
    assert.match(message, /Invalid container name/)
  }
})

const unknownIds = [
  'nope',
  'a%2Fb',
  '..%2F..%2Fetc',
  '%00',
  '%2e%2e',
  'A'.repeat(5000),
  '%ff%fe',
  "';--",
]
test('an id that nobody has answers 404, whatever is in it', { skip }, async () => {
  for (const id of unknownIds) {
    for (const [method, path] of [
      ['GET', 'json'],
      ['POST', 'start'],
      ['POST', 'stop'],
      ['POST', 'kill'],
      ['GET', 'logs?stdout=1'],
      ['DELETE', ''],
    ] as const) {
      const { status, text } = await ctrd().request(
        method,
        `/containers/${id}/${path}`.replace(/\/$/, ''),
      )
      assert.ok(
        status === 404 || status === 400,
        `${method} ${id.slice(0, 30)}/${path}: ${status} ${text.slice(0, 200)}`,
      )
      assert.match((JSON.parse(text) as { message: string }).message, /./)
    }
  }
})

test('removal of a running container and exec in a stopped one answer 409', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'up', 'busybox', 'sleep', '300'])
  const removal = await ctrd().request('DELETE', '/containers/up')
  assert.equal(removal.status, 409)
  assert.match(removal.text, /cannot remove container/)
  await ctrd().ok(['stop', '-t', '0', 'up'])
  const exec = await ctrd().request('POST', '/containers/up/exec', { Cmd: ['true'] })
  assert.equal(exec.status, 409)
  assert.match(exec.text, /is not running/)
  await ctrd().ok(['rm', 'up'])
})

test('a header of ten megabytes is refused', { skip }, async () => {
  const answer = await rawRequest(
    `GET /_ping HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(10_000_000)}\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1\.1 (431|400) |^$/)
})

test('a body of ten megabytes is refused where a document is expected', { skip }, async () => {
  const body = JSON.stringify(config({ Labels: { big: 'a'.repeat(10_000_000) } }))
  const response = await ctrd()
    .request('POST', '/containers/create', body, {
      headers: { 'content-type': 'application/json' },
    })
    .catch(() => undefined)
  assert.ok(
    response === undefined || response.status === 413 || response.status === 400,
    String(response?.status),
  )
})

test('a request that is no HTTP is refused', { skip }, async () => {
  assert.match(
    await rawRequest('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'),
    /^HTTP\/1\.1 400 |^$/,
  )
})

test('a client that says half a request and goes leaves nothing', { skip }, async () => {
  await rawRequest(
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Image":',
    1000,
  )
})

test('an unknown path and an unknown version answer as Docker’s', { skip }, async () => {
  assert.equal((await ctrd().request('GET', '/nope')).status, 404)
  const tooNew = await ctrd().request('GET', '/v1.99/containers/json')
  assert.equal(tooNew.status, 400)
  assert.match(
    tooNew.text,
    /client version 1\.99 is too new\. Maximum supported API version is 1\.\d+/,
  )
  const tooOld = await ctrd().request('GET', '/v1.10/containers/json')
  assert.equal(tooOld.status, 400)
  assert.match(
    tooOld.text,
    /client version 1\.10 is too old\. Minimum supported API version is 1\.\d+/,
  )
})

const queries = [
  '/containers/json?limit=many',
  '/containers/json?filters=%7B',
  '/containers/json?filters=%7B%22bad%22%3A%5B%22x%22%5D%7D',
  '/events?since=never&until=1',
  '/images/json?filters=7',
]
for (const path of queries) {
  test(`GET ${path} answers 400`, { skip }, async () => {
    const { status, text } = await ctrd().request('GET', path)
    assert.equal(status, 400, text)
    assert.match((JSON.parse(text) as { message: string }).message, /./)
  })
}
test('usage errors of the CLI name what is wrong and have Docker’s codes', { skip }, async () => {
  const cases: [string[], number, RegExp][] = [
    [['run'], 1, /requires at least 1 argument/],
    [['run', '--nope', 'busybox'], 125, /unknown flag: --nope/],
    [['nope'], 1, /'nope' is not a (docker|ctr) command|unknown command/],
    [
      ['run', '--memory', 'lots', 'busybox'],
      125,
      /invalid argument "lots" for "-m, --memory" flag/,
    ],
    [['run', '-e', '=x', 'busybox', 'true'], 125, /invalid environment variable: =x/],
    [['run', '--env-file', '/nonexistent', 'busybox', 'true'], 125, /no such file or directory/],
    [['rm'], 1, /requires at least 1 argument/],
    [['logs', 'a', 'b'], 1, /requires( exactly)? 1 argument/],
  ]
  for (const [args, code, stderr] of cases) checkResult({ code, stderr }, await ctrd().ctr(args))
})

/** What is answered, at the latest when nothing more has come for so long. */
async function rawRequest(bytes: string, timeoutMs = 60_000): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(ctrd().socketPath)
    let answer = ''
    socket.on('data', (data: Buffer) => {
      answer += data.toString('latin1')
      socket.end()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.write(bytes, 'latin1')
  })
}
