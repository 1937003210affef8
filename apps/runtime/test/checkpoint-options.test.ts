import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defaultConfig } from '../src/default-config.ts'
import { message, RUNTIME, SLOW, TestBundle, testCriu, until } from './bundle.ts'
import { counts, numbers, runPiped } from './piped.ts'

// Options of checkpoint and restore that reach out of the container: each with what it is for.
const criu = (await testCriu()) ?? ''
const skip = criu === '' ? 'needs criu 4: CTR_TEST_CRIU, or sh scripts/fetch-criu.sh' : false
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'

describe('options of checkpoint and restore', { skip, timeout: 600_000 * SLOW }, () => {
  let bundle: TestBundle
  let id: string
  let children: ChildProcess[] = []
  beforeEach(() => {
    bundle = new TestBundle()
    id = bundle.id('ck')
  })
  afterEach(async () => {
    for (const child of children) {
      child.kill('SIGKILL')
      await new Promise((resolve) =>
        (child.exitCode ?? child.signalCode) === null ? child.on('exit', resolve) : resolve(0),
      )
    }
    children = []
    bundle[Symbol.dispose]()
  })

  const at = (name: string): string => join(bundle.dir, name)
  const piped = (log: string, ...args: string[]): Promise<number> =>
    runPiped(bundle, criu, at(log), ...args)
  const checkpoint = (...args: string[]): ReturnType<TestBundle['run']> =>
    bundle.run('--criu', criu, 'checkpoint', ...args, id)

  function start(log: string, file: string, ...args: string[]): ChildProcess {
    const output = openSync(at(log), 'a')
    const child = spawn(file, args, { cwd: bundle.dir, stdio: ['ignore', output, output] })
    children.push(child)
    return child
  }

  test('--ext-unix-sk: a socket of the host is found again', async () => {
    const program = at('rootfs/bin/datagrams')
    const source = join(import.meta.dirname, 'datagrams.c')
    execFileSync('gcc', ['-static', '-O1', '-o', program, source])
    // criu looks in the network namespace of the container, and by the name that the server has given.
    mkdirSync(at('sockets'))
    const { mounts = [], linux } = defaultConfig({ isRootless: false })
    const bind = {
      type: 'bind',
      source: at('sockets'),
      destination: at('sockets'),
      options: ['bind'],
    }
    const namespaces = (linux?.namespaces ?? []).filter(({ type }) => type !== 'network')
    bundle.configure(
      { mounts: [...mounts, bind], linux: { ...linux, namespaces } },
      { args: ['/bin/datagrams', 'send', at('sockets/s')] },
    )
    start('served', program, 'serve', at('sockets/s'))
    await until(() => existsSync(at('sockets/s')), 'the server')
    assert.equal(await piped('first', 'run', '-d', id), 0)
    await counts(at('served'))

    const refused = await checkpoint('--image-path', at('images'))
    assert.match(message(refused), /External socket is used. Consider using --ext-unix-sk option/)
    await counts(at('served'))
    const done = await checkpoint('--image-path', at('images'), '--ext-unix-sk')
    assert.equal(done.code, 0, done.stderr)
    const last = numbers(at('served')).at(-1) ?? 0
    assert.equal(
      await piped('second', 'restore', '-d', '--ext-unix-sk', '--image-path', at('images'), id),
      0,
    )
    await counts(at('served'))
    assert.equal(numbers(at('served'))[last], last + 1)
  })

  test('--page-server: memory goes to another host, the rest stays', async () => {
    bundle.configure({}, { args: ['sh', '-c', COUNT] })
    mkdirSync(at('pages'))
    // Below those that the kernel gives to clients.
    const port = String(randomInt(20_000, 30_000))
    const place = ['--images-dir', at('pages'), '-v4', '-o', 'log']
    start('server', criu, 'page-server', ...place, '--address', '127.0.0.1', '--port', port)
    await until(
      () =>
        existsSync(at('pages/log')) && /page server/i.test(readFileSync(at('pages/log'), 'utf8')),
      'the page server',
    )
    assert.equal(await piped('first', 'run', '-d', id), 0)
    await counts(at('first'))
    const done = await checkpoint(
      '--image-path',
      at('images'),
      '--page-server',
      `127.0.0.1:${port}`,
    )
    assert.equal(done.code, 0, done.stderr)
    const last = numbers(at('first')).at(-1) ?? 0
    assert.deepEqual(globSync(at('images/page*')), [])
    const pages = globSync(at('pages/page*'))
    assert.ok(pages.length > 0)
    for (const file of pages) copyFileSync(file, join(at('images'), basename(file)))
    assert.equal(await piped('second', 'restore', '-d', '--image-path', at('images'), id), 0)
    await counts(at('second'))
    assert.equal(numbers(at('second'))[0], last + 1)
  })

  test('--lazy-pages: --status-fd says when they can be fetched, and who has been there ends the container', async () => {
    bundle.configure({}, { args: ['sh', '-c', COUNT] })
    assert.equal(await piped('first', 'run', '-d', id), 0)
    await counts(at('first'))
    const port = randomInt(20_000, 30_000)
    const status = openSync(at('status'), 'w')
    const place = ['--page-server', `127.0.0.1:${port}`, '--image-path', at('images')]
    const args = ['--criu', criu, 'checkpoint', '--lazy-pages', '--status-fd', '3', ...place, id]
    const ended = bundle.runWith({ fds: [status] }, ...args)
    await until(() => readFileSync(at('status')).length > 0, 'criu’s word')
    closeSync(status)
    assert.deepEqual([...readFileSync(at('status'))], [0])
    assert.ok(existsSync(join(at('images'), 'inventory.img')))
    // Until somebody has fetched them the container is there, but stands still.
    assert.deepEqual(bundle.containers(), [id])
    connect(port, '127.0.0.1', function (this: Socket) {
      this.end()
    })
    const result = await ended
    assert.equal(result.code, 0, result.stderr)
    assert.deepEqual(bundle.containers(), [])
  })

  test('--lsm-profile: a profile that this host cannot give ends the restore', {
    skip: existsSync('/sys/fs/selinux/enforce') ? 'SELinux is on' : false,
  }, async () => {
    bundle.configure({}, { args: ['sh', '-c', COUNT] })
    assert.equal(await piped('first', 'run', '-d', id), 0)
    await counts(at('first'))
    assert.equal((await checkpoint('--image-path', at('images'))).code, 0)
    const flags = ['--lsm-profile', 'selinux:system_u:system_r:box_t:s0']
    const restore = ['restore', '-d', ...flags, '--image-path', at('images'), id]
    assert.equal(await piped('second', ...restore), 1)
    assert.match(readFileSync(at('second'), 'utf8'), /selinux LSM specified but selinux not/)
    assert.deepEqual(bundle.containers(), [])
  })

  test('--shell-job: a container on the terminal of its caller goes on on another one', async () => {
    bundle.configure({}, { args: ['sh', '-c', `tty; ${COUNT}`] })
    const onTerminal = (log: string, ...args: string[]): ChildProcess =>
      start(
        `${log}.script`,
        'script',
        '-qfc',
        [RUNTIME, '--root', bundle.root, '--criu', criu, ...args].join(' '),
        at(log),
      )
    const reached = (log: string): number[] =>
      existsSync(at(log))
        ? readFileSync(at(log), 'utf8')
            .split(/\r?\n/)
            .filter((line) => /^\d+$/.test(line))
            .map(Number)
        : []
    const first = onTerminal('first', 'run', id)
    await until(() => reached('first').length > 5, 'numbers on the terminal')
    const done = await checkpoint('--shell-job', '--image-path', at('images'))
    assert.equal(done.code, 0, done.stderr)
    await until(() => first.exitCode !== null, 'the end of the first terminal')
    const last = reached('first').at(-1) ?? 0
    onTerminal('second', 'restore', '--shell-job', '--image-path', at('images'), id)
    await until(() => reached('second').length > 5, 'numbers on the second terminal')
    assert.equal(reached('second')[0], last + 1)
    assert.equal((await bundle.run('kill', id, 'KILL')).code, 0)
  })

  test('--work-path has the logs of both, the images are elsewhere', async () => {
    bundle.configure({}, { args: ['sh', '-c', COUNT] })
    assert.equal(await piped('first', 'run', '-d', id), 0)
    await counts(at('first'))
    const flags = ['--image-path', at('images'), '--work-path', at('work')]
    assert.equal((await checkpoint(...flags)).code, 0)
    assert.match(readFileSync(at('work/dump.log'), 'utf8'), /Dumping finished successfully/)
    assert.equal(await piped('second', 'restore', '-d', ...flags, id), 0)
    assert.match(readFileSync(at('work/restore.log'), 'utf8'), /Restore finished successfully/)
    assert.deepEqual(globSync(at('images/*.log')), [])
  })
})
