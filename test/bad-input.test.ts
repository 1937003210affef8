import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { ImageFile } from '@ctr/testkit'
import { imageArchive, requires, tarArchive, waitFor } from '@ctr/testkit'
import { checkResult, removeContainers, useDaemon } from './daemon-fixture.ts'

// Whatever comes in: a clear message, the right code, nothing changed, the daemon alive.
const skip = requires({ root: true })
let clean = ''
const ctrd = useDaemon({ bridge: false }, async () => {
  clean = await settledState()
})

/** After the start of a daemon, which makes the default image while it already answers. */
async function settledState(): Promise<string> {
  return await waitFor('a state that stays', async () => {
    const before = await state()
    await delay(300)
    return before.includes(' busybox:latest') && before === (await state()) ? before : undefined
  })
}

afterEach(async () => {
  assert.equal((await ctrd().request('GET', '/_ping')).text, 'OK')
  try {
    // Directories of what is removed go a little after the answer.
    await waitFor('the state of before', async () => (await state()) === clean)
  } catch {
    const now = await state()
    await removeContainers(ctrd())
    const images = await ctrd().ok(['images', '-aq', '--no-trunc'])
    for (const id of images.split('\n')) await ctrd().ctr(['rmi', '-f', id])
    await ctrd().restart()
    clean = await settledState()
    assert.fail(`something has changed:\n${now}`)
  }
})

/** What must be as before: containers, images, volumes, and the content store down to its files. */
async function state(): Promise<string> {
  const containers = await ctrd().request('GET', '/containers/json?all=1')
  const images = await ctrd().request('GET', '/images/json?all=1')
  const names = (images.json() as { RepoTags: string[]; Id: string }[]).map(
    ({ RepoTags, Id }) => `${Id} ${RepoTags.join(' ')}`,
  )
  const files = ['content/blobs/sha256', 'snapshots', 'tmp', 'containers', 'volumes']
    .map((name) => `${ctrd().dataRoot}/${name}`)
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).map((name) => `${path}/${name}`))
  return [containers.text, ...names, ...files].sort().join('\n')
}

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

const whole = imageArchive({
  reference: 'broken:1',
  layers: [[{ path: 'f', content: 'x'.repeat(5000) }]],
})
const brokenArchives: [string, Buffer][] = [
  ['no archive at all', Buffer.from('this is no tar archive, whatever its name says')],
  ['nothing', Buffer.alloc(0)],
  ['an archive cut in the middle of a layer', whole.subarray(0, Math.floor(whole.length / 2))],
  ['a packed archive cut short', gzipSync(whole).subarray(0, 200)],
  ['an archive packed by something unknown', brotliCompressSync(whole)],
  ['an archive without a manifest', tarArchive([{ path: 'f', content: 'x' }])],
  ['a manifest that is no JSON', tarArchive([{ path: 'manifest.json', content: '{' }])],
  [
    'a manifest that names files which are not there',
    tarArchive([
      {
        path: 'manifest.json',
        content: JSON.stringify([{ Config: 'c.json', RepoTags: ['broken:1'], Layers: ['l.tar'] }]),
      },
    ]),
  ],
  [
    'a manifest that names files outside',
    tarArchive([
      {
        path: 'manifest.json',
        content: JSON.stringify([
          { Config: '../../../etc/passwd', RepoTags: ['broken:1'], Layers: ['/etc/passwd'] },
        ]),
      },
    ]),
  ],
  [
    'a layer that is not what its digest says',
    Buffer.from(whole.toString('latin1').replace('xxxxxxxxxx', 'xxxxxyxxxx'), 'latin1'),
  ],
  [
    'a header with a wrong checksum',
    Buffer.from(whole.toString('latin1').replace('manifest.json', 'manifesT.json'), 'latin1'),
  ],
]
for (const [name, archive] of brokenArchives) {
  test(`load of ${name} is an error and leaves no part of an image`, { skip }, async () => {
    const result = await ctrd().ctr(['load'], { input: archive })
    assert.equal(result.code, 1, result.stdout + result.stderr)
    assert.match(result.stderr, /./)
  })
}

const hostileLayers: [string, ImageFile[]][] = [
  ['a path that climbs out', [{ path: '../../../../../../ctr-test-evil', content: 'x' }]],
  ['an absolute path', [{ path: '/ctr-test-evil', content: 'x' }]],
  [
    'a file through a symbolic link to the host',
    [
      { path: 'link', type: 'symlink', target: '/' },
      { path: 'link/ctr-test-evil', content: 'x' },
    ],
  ],
  [
    'a hard link to a file of the host',
    [
      { path: 'passwd', type: 'hardlink', target: '../../../../../../../etc/passwd' },
      { path: 'passwd', content: 'ctr-test-evil' },
    ],
  ],
]
for (const [name, files] of hostileLayers) {
  test(`a layer with ${name} cannot write to the host`, { skip }, async () => {
    const passwd = readFileSync('/etc/passwd', 'utf8')
    await ctrd().ctr(['load'], { input: imageArchive({ reference: 'hostile:1', layers: [files] }) })
    assert.ok(!existsSync('/ctr-test-evil'))
    assert.equal(readFileSync('/etc/passwd', 'utf8'), passwd)
    await ctrd().ctr(['rmi', '-f', 'hostile:1'])
  })
}

function busyboxWith(files: readonly ImageFile[], reference: string): Buffer {
  const base: ImageFile[] = [
    { path: 'bin/', type: 'directory' },
    { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    { path: 'bin/sh', type: 'symlink', target: 'busybox' },
    { path: 'bin/cat', type: 'symlink', target: 'busybox' },
  ]
  return imageArchive({
    reference,
    layers: [base, files],
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/cat', '/proc/self/status'] },
  })
}

const etc: ImageFile = { path: 'etc/', type: 'directory' }
const passwdFiles: [string, ImageFile[], readonly string[]][] = [
  [
    'a FIFO',
    [etc, { path: 'etc/passwd', type: 'fifo' }, { path: 'etc/group', type: 'fifo' }],
    ['-u', 'someone'],
  ],
  [
    'a link to a file of the host',
    [etc, { path: 'etc/passwd', type: 'symlink', target: '../../../../../../../../etc/passwd' }],
    ['-u', 'daemon'],
  ],
  ['a directory', [etc, { path: 'etc/passwd/', type: 'directory' }], ['-u', 'someone']],
  [
    'a link to itself',
    [etc, { path: 'etc/passwd', type: 'symlink', target: 'passwd' }],
    ['-u', 'someone'],
  ],
  [
    'a device',
    [etc, { path: 'etc/passwd', type: 'character', major: 1, minor: 5 }],
    ['-u', 'someone'],
  ],
  [
    'eight megabytes long',
    [etc, { path: 'etc/passwd', content: 'x'.repeat(8_000_000) }],
    ['-u', 'someone'],
  ],
]
for (const [name, files, flags] of passwdFiles) {
  test(`/etc/passwd that is ${name} neither blocks nor leads out`, { skip }, async () => {
    await ctrd().ctr(['load'], { input: busyboxWith(files, 'passwd:1') })
    const named = await ctrd().ctr(['run', '--rm', ...flags, 'passwd:1'])
    assert.ok(named.code === 125 || named.code === 126, named.stdout + named.stderr)
    assert.match(named.stderr, /./)
    const numeric = await ctrd().ctr(['run', '--rm', '-u', '7', 'passwd:1'])
    if (numeric.code === 0) assert.match(numeric.stdout, /^Uid:\t7\t7\t7\t7$/m)
    assert.match((await ctrd().ctr(['rmi', 'passwd:1'])).stdout, /Untagged/)
  })
}

test('a working directory in /proc/self/fd does not lead to the host', { skip }, async () => {
  for (let descriptor = 3; descriptor < 16; descriptor++) {
    const result = await ctrd().ctr([
      'run',
      '--rm',
      '-w',
      `/proc/self/fd/${descriptor}`,
      'busybox',
      'sh',
      '-c',
      `cat ../../../../../../${ctrd().root}/ctrd.pid; ls /proc/self/cwd/${ctrd().root}`,
    ])
    assert.doesNotMatch(result.stdout, /./, `descriptor ${descriptor}`)
  }
})

test('links in the way of what the engine makes do not lead to the host', { skip }, async () => {
  const victims: ImageFile[] = [
    { path: 'etc', type: 'symlink', target: `../../../../../..${ctrd().root}/victim` },
    { path: 'dev', type: 'symlink', target: `${ctrd().root}/victim` },
    { path: 'proc', type: 'symlink', target: '/bin' },
    { path: 'sys', type: 'fifo' },
  ]
  for (const victim of victims) {
    await ctrd().ctr(['load'], { input: busyboxWith([victim], 'links:1') })
    await ctrd().ctr(['run', '--rm', 'links:1'])
    assert.ok(!existsSync(`${ctrd().root}/victim`), victim.path)
    assert.match((await ctrd().ctr(['rmi', 'links:1'])).stdout, /Untagged/)
  }
})

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

async function rawRequest(bytes: string): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(ctrd().socketPath)
    let answer = ''
    socket.on('data', (data: Buffer) => {
      answer += data.toString('latin1')
      socket.end()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
    socket.setTimeout(3000, () => socket.destroy())
    socket.write(bytes, 'latin1')
  })
}
