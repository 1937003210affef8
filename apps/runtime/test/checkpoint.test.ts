import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { message, TestBundle, testCriu } from './bundle.ts'
import { counts, numbers, runPiped as runCommand } from './piped.ts'

// `ctr-runtime checkpoint` and `restore`, as runc's callers use them.
const criu = await testCriu()
const skip = criu === undefined ? 'needs criu 4: CTR_TEST_CRIU, or sh scripts/fetch-criu.sh' : false
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'

let bundle: TestBundle
let id: string

const runPiped = (log: string, ...args: string[]): Promise<number> =>
  runCommand(bundle, criu ?? '', log, ...args)

describe('checkpoint and restore', { skip }, () => {
  before(() => {
    bundle = new TestBundle()
    bundle.configure({ root: { path: 'rootfs', readonly: true } }, { args: ['sh', '-c', COUNT] })
    id = bundle.id('ck')
  })
  after(() => bundle[Symbol.dispose]())

  const images = (name: string): string => join(bundle.dir, name)
  const criuRun = (...args: string[]): ReturnType<TestBundle['run']> =>
    bundle.run('--criu', criu ?? '', ...args)

  test('leave-running, end, restore in the background and in the foreground', async () => {
    const [first, second, third] = ['1', '2', '3'].map((name) => join(bundle.dir, `log-${name}`))
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    assert.equal(await runPiped(first, 'run', '-d', id), 0)
    await counts(first)

    const left = await criuRun('checkpoint', '--leave-running', '--image-path', images('a'), id)
    assert.equal(left.code, 0, left.stderr)
    assert.equal((await bundle.state(id)).status, 'running')
    await counts(first)

    const flags = ['--image-path', images('b'), '--work-path', images('work')]
    const ended = await criuRun('checkpoint', ...flags, id)
    assert.equal(ended.code, 0, ended.stderr)
    assert.deepEqual(bundle.containers(), [])
    assert.deepEqual(bundle.cgroups(), [])
    assert.ok(existsSync(join(images('work'), 'dump.log')))
    const last = numbers(first).at(-1) ?? 0

    const pidFile = join(bundle.dir, 'pid')
    const restore = ['restore', '--image-path', images('b')]
    assert.equal(await runPiped(second, ...restore, '-d', '--pid-file', pidFile, id), 0)
    const { status, pid } = await bundle.state(id)
    assert.equal(status, 'running')
    assert.equal(Number(readFileSync(pidFile, 'utf8')), pid)
    await counts(second)
    assert.equal(numbers(second)[0], last + 1)
    const root = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n')
    assert.match(root.find((line) => line.split(' ')[4] === '/') ?? '', / \/ ro,/)
    assert.equal((await bundle.run('exec', id, 'true')).code, 0)
    assert.equal((await bundle.run('pause', id)).code, 0)
    assert.equal((await bundle.state(id)).status, 'paused')
    assert.equal((await bundle.run('resume', id)).code, 0)
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)

    const other = bundle.id('other')
    const foreground = runPiped(third, ...restore, other)
    await counts(third)
    assert.equal((await bundle.state(other)).status, 'running')
    assert.equal((await bundle.run('kill', other, 'KILL')).code, 0)
    assert.equal(await foreground, 137)
    assert.deepEqual(bundle.containers(), [])
  })

  test('refusals leave the container as it is', async () => {
    const log = join(bundle.dir, 'log-4')
    assert.equal(await runPiped(log, 'run', '-d', id), 0)
    await counts(log)
    const failing: [string[], RegExp][] = [
      [
        ['--lazy-pages', '--status-fd', '99'],
        /invalid --status-fd argument 99: bad file descriptor/,
      ],
      [['--page-server', 'nowhere'], /Use --page-server ADDRESS:PORT to specify page server/],
      [['--page-server', 'host:many'], /Invalid port number/],
      [['--manage-cgroups-mode', 'odd'], /Invalid manage cgroups mode/],
      [['--empty-ns', 'odd'], /namespace "odd" is not supported/],
      [['--parent-path', '/absolute'], /--parent-path must be relative/],
      [['--parent-path', 'none'], /invalid --parent-path none: no such file or directory/],
    ]
    for (const [flags, text] of failing) {
      const result = await criuRun('checkpoint', '--image-path', images('c'), ...flags, id)
      assert.equal(result.code, 1)
      assert.match(message(result), text)
    }
    const missing = await bundle.run('--criu', '/none/criu', 'checkpoint', id)
    assert.match(message(missing), /cannot use \/none\/criu: .*criu 4\.0 or newer.*--criu/)
    assert.equal((await bundle.state(id)).status, 'running')
    await counts(log)
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)

    const created = await bundle.run('create', id)
    assert.equal(created.code, 0, created.stderr)
    const early = await criuRun('checkpoint', '--image-path', images('c'), id)
    assert.match(message(early), /Container cannot be checkpointed in created state/)
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
  })

  test('a restore that fails leaves nothing', async () => {
    const empty = await criuRun('restore', '-d', '--image-path', images('none'), id)
    assert.match(message(empty), /none has no checkpoint of ctr/)
    mkdirSync(images('broken'))
    const log = join(bundle.dir, 'log-5')
    assert.equal(await runPiped(log, 'run', '-d', id), 0)
    await counts(log)
    const flags = ['--image-path', images('broken')]
    assert.equal((await criuRun('checkpoint', ...flags, id)).code, 0)
    writeFileSync(join(images('broken'), 'inventory.img'), '')
    const broken = await criuRun('restore', '-d', ...flags, id)
    assert.equal(broken.code, 1)
    assert.match(message(broken), /criu failed: type RESTORE: /)
    assert.deepEqual(bundle.containers(), [])
    assert.deepEqual(bundle.cgroups(), [])
  })
})
