import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  type RunOptions,
  type RunResult,
  requires,
  run,
  startDaemon,
  type TestDaemon,
} from '@ctr/testkit'
import { CLIENT, FRONT } from './programs.ts'

const skip = requires({ root: true, files: [FRONT, CLIENT] })

const RUN = ['run', '--rm', '--network', 'none']
let daemon: TestDaemon
let directory: string
let wire: Wire

/** Between a client and the daemon: notes what is asked. */
interface Wire {
  readonly path: string
  readonly server: Server
  /** `POST /commands`, without query. */
  readonly requests: string[]
  /** What is done to bytes of the client on their way. */
  change: (bytes: Buffer) => Buffer | 'cut'
}

before(async () => {
  if (skip !== false) return
  directory = mkdtempSync('/tmp/ctr-front-')
  daemon = await startDaemon({ bridge: false })
  await daemon.ok(['run', '-d', '--name', 'box', '--network', 'none', 'busybox', 'sleep', '1000'])
  wire = await openWire(join(directory, 'wire'))
})
afterEach(() => {
  if (skip !== false) return
  wire.requests.length = 0
  wire.change = (bytes) => bytes
})
after(async () => {
  if (skip !== false) return
  wire?.server.close()
  await daemon?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function openWire(path: string): Promise<Wire> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ path: daemon.socketPath, allowHalfOpen: true })
    client.on('data', (bytes: Buffer) => {
      const asked = /^(?:GET|HEAD|POST|PUT|DELETE) [^ ?]*/.exec(bytes.toString('latin1'))?.[0]
      if (asked !== undefined) opened.requests.push(asked)
      const changed = opened.change(bytes)
      if (changed !== 'cut') return void upstream.write(changed)
      client.destroy()
      upstream.destroy()
    })
    client.on('end', () => upstream.end())
    upstream.pipe(client)
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
  })
  const opened: Wire = { path, server, requests: [], change: (bytes) => bytes }
  server.listen(path)
  await once(server, 'listening')
  return opened
}

function environment(): Record<string, string> {
  return { CTR_HOST: `unix://${wire.path}`, HOME: directory }
}

function ctr(
  args: readonly string[],
  options: RunOptions = {},
  program = FRONT,
): Promise<RunResult> {
  return run([program, ...args], { ...options, env: { ...environment(), ...options.env } })
}

/** A line of a shell in which `ctr` is bin/ctr. */
function shell(script: string): Promise<RunResult> {
  return run(['bash', '-c', `ctr() { ${FRONT} "$@"; }\n${script}`], { env: environment() })
}

async function told(result: Promise<RunResult>): Promise<[number, string, string]> {
  const { code, stdout, stderr } = await result
  return [code, stdout, stderr]
}

describe('a command that the daemon does', { skip }, () => {
  for (const args of [
    [...RUN, 'busybox', 'echo', 'hi'],
    ['container', ...RUN, 'busybox', 'echo', 'hi'],
    ['exec', 'box', 'echo', 'hi'],
    ['container', 'exec', 'box', 'echo', 'hi'],
  ]) {
    it(`is one request: ${args.slice(0, 2).join(' ')}`, async () => {
      assert.deepEqual(await told(ctr(args)), [0, 'hi\n', ''])
      assert.deepEqual(wire.requests, ['POST /commands'])
    })
  }

  it('is asked of the daemon that flags or variables name', async () => {
    const nowhere = { CTR_HOST: 'unix:///nonexistent' }
    const host = `unix://${wire.path}`
    for (const before of [['-H', host], ['--host', host], [`--host=${host}`], ['-H', wire.path]]) {
      assert.equal((await ctr([...before, 'exec', 'box', 'true'], { env: nowhere })).code, 0)
    }
    const docker = { CTR_HOST: '', DOCKER_HOST: host }
    assert.equal((await ctr(['exec', 'box', 'true'], { env: docker })).code, 0)
    assert.deepEqual(wire.requests, Array(5).fill('POST /commands'))
  })

  it('ends as the command does', async () => {
    for (const [script, code] of [
      ['exit 0', 0],
      ['exit 3', 3],
      ['sleep 9 & kill -9 $!; wait $!', 137],
      ['exec /etc', 126],
      ['exec /nonesuch', 127],
    ] as const) {
      assert.equal((await ctr(['exec', 'box', 'sh', '-c', script])).code, code, script)
      assert.equal((await ctr([...RUN, 'busybox', 'sh', '-c', script])).code, code, script)
    }
  })

  it('writes all bytes of both streams, large or small', async () => {
    const script =
      'head -c 5000000 /dev/urandom >/x; cat /x; for i in $(seq 500); do echo $i; echo e$i >&2; done; sha256sum /x >&2'
    for (const args of [
      ['exec', 'box'],
      [...RUN, 'busybox'],
    ]) {
      const { stdoutBytes, stderr } = await ctr([...args, 'sh', '-c', script])
      const [hash = ''] = /[0-9a-f]{64}/.exec(stderr) ?? []
      const random = createHash('sha256').update(stdoutBytes.subarray(0, 5_000_000)).digest('hex')
      assert.equal(random, hash)
      const numbers = Array.from({ length: 500 }, (_, index) => `${index + 1}\n`)
      assert.equal(stdoutBytes.subarray(5_000_000).toString(), numbers.join(''))
      assert.ok(stderr.startsWith(numbers.map((number) => `e${number}`).join('')))
    }
  })

  it('loses nothing to a reader that is slow', async () => {
    const { stdout } = await shell(
      'ctr exec box sh -c "head -c 3000000 /dev/zero; echo end" | (sleep 1; wc -c)',
    )
    assert.equal(stdout.trim(), '3000004')
  })

  it('ends with its reader', async () => {
    const { stdout } = await shell('ctr exec box yes | head -1; echo ${PIPESTATUS[0]}')
    assert.equal(stdout, 'y\n141\n')
  })

  it('does without streams that are closed, and says when a disk is full', async () => {
    const { stdout, stderr } = await shell(`
      ctr exec box echo unseen >&-; echo $?
      ctr exec box sh -c 'echo unseen >&2' 2>&-; echo $?
      ctr exec box echo unseen <&- >&- 2>&-; echo $?
      ctr exec box echo hi >/dev/full; echo $?
      ctr ${RUN.join(' ')} busybox echo hi >/dev/full; echo $?`)
    assert.equal(stdout, '0\n0\n0\n1\n125\n')
    const full = 'ENOSPC: no space left on device, write\n'
    assert.equal(stderr, `${full}ctr: ${full}\nRun 'ctr run --help' for more information\n`)
  })

  it('takes arguments of any bytes and of any length', async () => {
    // MAX_ARG_STRLEN, execve(2): 128 KiB for each.
    const long = 'x'.repeat(128 * 1024 - 1)
    for (const count of [1, 3, 12]) {
      const args = ['exec', 'box', 'sh', '-c', 'echo $#', 'sh', ...Array<string>(count).fill(long)]
      assert.deepEqual(await told(ctr(args)), [0, `${count}\n`, ''])
    }
    assert.equal(wire.requests.filter((request) => request === 'POST /commands').length, 2)
    const { stdout } = await shell(
      `ctr exec box sh -c 'printf %s "$0" | od -An -tx1' $'\\xff\\xc3('`,
    )
    assert.equal(stdout.trim(), 'ff c3 28')
  })

  it('says where its time went, from its own start on', async () => {
    const { code, stdout, stderr } = await ctr([
      ...RUN,
      '--timing',
      'busybox',
      'sh',
      '-c',
      'echo hi; sleep 0.2; exit 4',
    ])
    assert.deepEqual([code, stdout, wire.requests], [4, 'hi\n', ['POST /commands']])
    const rows = [...stderr.matchAll(/^([\w ]+\w) +(-?[\d.]+) ms$/gm)]
    const names = rows.map(([, name]) => name)
    const expected =
      'CLI start,request,image,record,network,program,shim,first byte,exit,removal,total'
    assert.equal(names.join(), expected, stderr)
    const times = rows.map(([, , time]) => Number(time))
    const total = times.pop() ?? 0
    const sum = times.reduce((all, time) => all + time, 0)
    assert.ok(times.every((time) => time >= 0) && Math.abs(total - sum) < 0.1, stderr)
  })

  it('works in the background', async () => {
    const id = await ctr(['run', '-d', '--network', 'none', 'busybox', 'sleep', '1000'])
    assert.match(id.stdout, /^[0-9a-f]{64}\n$/)
    assert.deepEqual(wire.requests, ['POST /commands'])
    await daemon.ok(['rm', '-f', id.stdout.trim()])
  })
})

describe('the client does by itself', { skip }, () => {
  const asksNothing: readonly (readonly [string, readonly string[], Record<string, string>?])[] = [
    ['another command', ['version']],
    ['a terminal', ['exec', '-it', 'box', 'true']],
    ['input', ['run', '--rm', '-i', '--network', 'none', 'busybox', 'true']],
    ['input, in words', ['container', 'exec', '--interactive', 'box', 'true']],
    ['--debug', ['-D', 'exec', 'box', 'true']],
    ['--config', ['--config', '/nonexistent', 'exec', 'box', 'true']],
    ['a context', ['--context', 'default', 'exec', 'box', 'true'], { CTR_HOST: '' }],
    ['DOCKER_CONTEXT', ['exec', 'box', 'true'], { DOCKER_CONTEXT: 'default' }],
    ['DOCKER_API_VERSION', ['exec', 'box', 'true'], { DOCKER_API_VERSION: '1.40' }],
    ['DOCKER_DEFAULT_PLATFORM', [...RUN, 'busybox', 'true'], { DOCKER_DEFAULT_PLATFORM: 'linux' }],
    ['DOCKER_TLS_VERIFY', ['exec', 'box', 'true'], { DOCKER_TLS_VERIFY: '1' }],
  ]
  for (const [reason, args, env = {}] of asksNothing) {
    it(reason, async () => {
      await ctr(args, { env })
      assert.ok(!wire.requests.includes('POST /commands'), wire.requests.join())
    })
  }

  it('what config.json may change', async () => {
    const config = mkdtempSync(join(directory, 'config-'))
    const env = { DOCKER_CONFIG: config }
    const proxies = { default: { httpProxy: 'http://proxy' } }
    writeFileSync(`${config}/config.json`, JSON.stringify({ proxies }))
    const { stdout } = await ctr([...RUN, 'busybox', 'env'], { env })
    assert.match(stdout, /^HTTP_PROXY=http:\/\/proxy$/m)
    writeFileSync(`${config}/config.json`, JSON.stringify({ ctr: { currentContext: 'gone' } }))
    const { stderr } = await ctr(['exec', 'box', 'true'], { env: { ...env, CTR_HOST: '' } })
    assert.match(stderr, /context "gone"/)
    writeFileSync(`${config}/config.json`, JSON.stringify({ auths: { x: 'x'.repeat(100_000) } }))
    await ctr(['exec', 'box', 'true'], { env })
    assert.ok(!wire.requests.includes('POST /commands'), wire.requests.join())
    writeFileSync(`${config}/config.json`, JSON.stringify({ auths: {}, currentContext: 'x' }))
    await ctr(['exec', 'box', 'true'], { env })
    assert.equal(wire.requests.at(-1), 'POST /commands')
  })

  /** After the daemon has said so: words, output and status are those of the client alone. */
  const likeTheClient: readonly (readonly string[])[] = [
    ['run'],
    ['run', '--help'],
    ['run', '--nonesuch', 'busybox'],
    ['run', '-m', 'much', 'busybox'],
    ['run', 'nosuch:image', 'true'],
    ['run', '--pull', 'never', 'nosuch', 'true'],
    ['run', '--name', 'box', 'busybox'],
    ['run', '-v', '/a:b', 'busybox', 'true'],
    ['exec'],
    ['exec', 'box'],
    ['exec', 'nobody', 'true'],
    ['exec', '--help'],
    ['exec', 'ls', 'box'],
    ['exec', '-w', '/', '-it', 'box', 'true'],
    ['exec', '-d', 'box', 'true'],
    ['exec', '-w', 'relative', 'box', 'pwd'],
    [...RUN, '-e', 'FROM_HERE', '-e', 'NOT_HERE', 'busybox', 'printenv', 'FROM_HERE'],
    [...RUN, '--env-file', 'variables', 'busybox', 'printenv', 'IN_FILE'],
    [...RUN, '-v', './variables:/v:ro', 'busybox', 'cat', '/v'],
    [...RUN, '--security-opt', 'seccomp=none.json', 'busybox', 'true'],
    [...RUN, '--cpu-count', '1', 'busybox', 'true'],
    [...RUN, 'busybox', '/nonesuch'],
    [...RUN, 'busybox', '/etc'],
    [...RUN, '-u', 'nobody-here', 'busybox', 'true'],
    ['exec', 'box', '/nonesuch'],
    ['exec', '-u', 'nobody-here', 'box', 'true'],
  ]
  for (const args of likeTheClient) {
    it(args.join(' '), async () => {
      writeFileSync(join(directory, 'variables'), 'IN_FILE=yes\n')
      const options = { cwd: directory, env: { FROM_HERE: 'here' } }
      const expected = await told(ctr(args, options, CLIENT))
      assert.deepEqual(await told(ctr(args, options)), expected)
      assert.ok(wire.requests.includes('POST /commands'), wire.requests.join())
    })
  }

  it('input: what is typed or piped in', async () => {
    const { stdout } = await ctr(['exec', '-i', 'box', 'cat'], { input: 'typed' })
    assert.equal(stdout, 'typed')
  })

  it('all, with a daemon that knows nothing of it', async () => {
    wire.change = (bytes) =>
      Buffer.from(bytes.toString('latin1').replace('POST /commands', 'POST /nonesuch'), 'latin1')
    assert.deepEqual(await told(ctr(['exec', 'box', 'echo', 'hi'])), [0, 'hi\n', ''])
    assert.deepEqual(await told(ctr([...RUN, 'busybox', 'echo', 'hi'])), [0, 'hi\n', ''])
    assert.ok(wire.requests.includes('POST /containers/run'))
  })

  it('the words, when there is no daemon', async () => {
    for (const args of [
      ['exec', 'box', 'true'],
      [...RUN, 'busybox', 'true'],
    ]) {
      const options = { env: { CTR_HOST: 'unix:///nonexistent' } }
      assert.deepEqual(await told(ctr(args, options)), await told(ctr(args, options, CLIENT)))
    }
  })
})

describe('a daemon that is lost', { skip }, () => {
  it('before it has answered: nobody knows what was done, and it is not done again', async () => {
    for (const args of [
      ['exec', 'box', 'true'],
      [...RUN, 'busybox', 'true'],
    ]) {
      wire.change = (bytes) => (bytes.includes('POST /') ? 'cut' : bytes)
      const expected = await told(ctr(args, {}, CLIENT))
      wire.requests.length = 0
      assert.deepEqual(await told(ctr(args)), expected)
      assert.deepEqual(wire.requests, ['POST /commands'])
    }
  })

  it('while the command runs', async () => {
    const script = 'echo ready; exec sleep 1000'
    const ends = [
      ['exec', 'box'],
      ['run', '--name', 'left', '--network', 'none', 'busybox'],
    ].map(async (args) => {
      const client = spawn(FRONT, [...args, 'sh', '-c', script], { env: environment() })
      let stderr = ''
      client.stderr.on('data', (chunk) => (stderr += chunk))
      await once(client.stdout, 'data')
      return { ended: once(client, 'close'), stderr: () => stderr }
    })
    const clients = await Promise.all(ends)
    await daemon.kill9()
    const lost = (what: string): string =>
      `error waiting for ${what}: connection to the daemon lost\n`
    assert.deepEqual(await clients[0]?.ended, [1, null])
    assert.equal(clients[0]?.stderr(), lost('the command'))
    assert.deepEqual(await clients[1]?.ended, [125, null])
    assert.equal(clients[1]?.stderr(), lost('container'))
    await daemon.restart()
    assert.equal(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'left']), 'running')
    await daemon.ok(['rm', '-f', 'left'])
  })
})

describe('the place of bin/ctr', { skip }, () => {
  it('may be reached by links', async () => {
    mkdirSync(join(directory, 'links'))
    symlinkSync(FRONT, join(directory, 'links/one'))
    symlinkSync('one', join(directory, 'links/ctr'))
    const link = join(directory, 'links/ctr')
    assert.match((await ctr(['--version'], {}, link)).stdout, /^ctr version /)
    assert.equal((await ctr(['exec', 'box', 'echo', 'hi'], {}, link)).stdout, 'hi\n')
  })

  it('must be beside the client, which is said', async () => {
    mkdirSync(join(directory, 'copy/bin'), { recursive: true })
    const copy = join(directory, 'copy/bin/ctr')
    copyFileSync(FRONT, copy)
    assert.deepEqual(await told(ctr(['--version'], {}, copy)), [
      1,
      '',
      `ctr: cannot run ${directory}/copy/apps/cli/dist/ctr: No such file or directory\nctr is two programs: link to bin/ctr, do not copy it. \`npm run setup\` builds both.\n`,
    ])
  })
})
