import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { requires, run, startDaemon, type TestDaemon } from '@ctr/testkit'

/** Project quotas need a filesystem that has them: one in a file, mounted through a loop device. */
const needed = requires({
  root: true,
  commands: ['mkfs.ext4', 'mount', 'umount'],
  files: ['/dev/loop-control'],
})
const skip = needed === false ? await missingQuota() : needed

async function missingQuota(): Promise<string | false> {
  const directory = mkdtempSync('/tmp/ctr-t-quota-probe-')
  try {
    await using _mounted = await mountWithQuota(directory)
    return false
  } catch (error) {
    return `needs a kernel with project quotas of ext4 (${String(error).split('\n')[0]})`
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** At `directory`/mounted. */
async function mountWithQuota(directory: string): Promise<AsyncDisposable> {
  const ok = async (...argv: string[]): Promise<void> => {
    const { code, stderr } = await run(argv)
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr.trim()}`)
  }
  const image = `${directory}/image`
  const target = `${directory}/mounted`
  mkdirSync(target)
  await ok('truncate', '-s', '256M', image)
  await ok('mkfs.ext4', '-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', image)
  await ok('mount', '-o', 'loop,prjquota', image, target)
  return { [Symbol.asyncDispose]: () => ok('umount', target) }
}

let directory = ''
let mounted: AsyncDisposable
let daemon: TestDaemon
before(async () => {
  if (skip !== false) return
  directory = mkdtempSync('/tmp/ctr-t-quota-')
  mounted = await mountWithQuota(directory)
  daemon = await startDaemon({ bridge: false, args: ['--data-root', `${directory}/mounted/data`] })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await mounted?.[Symbol.asyncDispose]()
  if (directory !== '') rmSync(directory, { recursive: true })
})

const FILL = 'dd if=/dev/zero of=/full bs=1M count=40 2>&1; stat -c %s /full'
const FULL = /No space left on device|Disk quota exceeded/

test('a container writes no more than its size', { skip }, async () => {
  const args = ['run', '--rm', '--network', 'none', '--storage-opt', 'size=10M', 'busybox']
  const { stdout } = await daemon.ctr([...args, 'sh', '-c', `df -m / | tail -n 1; ${FILL}`])
  const lines = stdout.trim().split('\n')
  assert.equal(lines[0]?.trim().split(/\s+/)[1], '10', stdout)
  assert.match(stdout, FULL)
  const size = Number(lines.at(-1))
  assert.ok(size > 5 << 20 && size <= 10 << 20, stdout)
})

test('others are not limited by it, and have limits of their own', { skip }, async () => {
  const fill = (name: string, ...options: string[]): Promise<string> =>
    daemon.ok(['run', '--name', name, '--network', 'none', ...options, 'busybox', 'sh', '-c', FILL])
  await fill('small', '--storage-opt', 'size=5M')
  assert.match(await fill('free'), /41943040$/)
  assert.match(await fill('large', '--storage-opt', 'size=60M'), /41943040$/)
  const inspected = await daemon.ok(['inspect', '-f', '{{json .HostConfig.StorageOpt}}', 'small'])
  assert.equal(inspected.trim(), '{"size":"5M"}')
})

test("the daemon's size holds for those that name none, 0 is no limit", { skip }, async () => {
  const args = ['--data-root', `${directory}/mounted/limited`, '--storage-opt', 'overlay2.size=5M']
  await using limited = await startDaemon({ bridge: false, args })
  const fill = async (...options: string[]): Promise<string> => {
    const argv = ['run', '--rm', '--network', 'none', ...options, 'busybox', 'sh', '-c', FILL]
    return (await limited.ctr(argv)).stdout
  }
  assert.match(await fill(), FULL)
  assert.match(await fill('--storage-opt', 'size=60M'), /41943040$/m)
  assert.match(await fill('--storage-opt', 'size=0'), /41943040$/m)
  const id = await limited.ok(['create', '--network', 'none', 'busybox'])
  assert.equal(await limited.ok(['inspect', '-f', '{{json .HostConfig.StorageOpt}}', id]), 'null')
})

test("where there are no quotas the daemon's size is refused", { skip: needed }, async () => {
  await assert.rejects(
    startDaemon({ bridge: false, args: ['--storage-opt', 'overlay2.size=5M'] }),
    /storage option overlay2\.size is supported only for xfs/,
  )
})

test('the limit holds in the next run, and after the daemon', { skip }, async () => {
  await daemon.ok([
    'create',
    '--name',
    'again',
    '--network',
    'none',
    '--storage-opt',
    'size=5M',
    'busybox',
    'sh',
    '-c',
    FILL,
  ])
  await daemon.restart()
  const { stdout } = await daemon.ctr(['start', '-a', 'again'])
  assert.match(stdout, FULL)
})
