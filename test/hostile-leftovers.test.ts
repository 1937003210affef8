import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

// What is in the way of a start, and what is in an image, is nothing to be trusted.
const skip = requires({ root: true })

describe('leftovers and large files', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })

  test('whatever is at the place of the runtime directory does not stop a start', async () => {
    const outside = join(daemon().root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'kept'), 'kept')
    const obstacles: ((path: string) => void)[] = [
      (path) => writeFileSync(path, ''),
      (path) => symlinkSync(outside, path),
      (path) => symlinkSync('/nowhere', path),
      (path) => {
        mkdirSync(join(path, 'shim.sock'), { recursive: true })
        writeFileSync(join(path, 'shim.pid'), '1')
        writeFileSync(join(path, 'exit'), '{"status":0,"oom":false,"finishedNs":"1"}')
      },
    ]
    for (const put of obstacles) {
      await daemon().ok(['create', '--name', 'it', 'busybox', 'sh', '-c', 'exit 3'])
      const id = await field(daemon(), 'it', '{{.Id}}')
      const path = join(daemon().execRoot, 'c', id.slice(0, 24))
      put(path)
      assert.equal((await daemon().ctr(['start', '-a', 'it'])).code, 3)
      await daemon().ok(['rm', 'it'])
      assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
    }
    assert.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'kept')
    assert.ok(!existsSync(join(outside, 'shim.sock')))
  })

  test('an exec root that somebody has cleared is made again', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '1000'])
    await daemon().ok(['exec', 'it', 'true'])
    for (const name of readdirSync(daemon().execRoot)) {
      rmSync(join(daemon().execRoot, name), { recursive: true })
    }
    // More than there are connections to the spawner in store.
    for (let count = 0; count < 3; count++) {
      assert.equal(await daemon().ok(['exec', 'it', 'echo', 'goes on']), 'goes on')
      assert.equal(await daemon().ok(['run', '--rm', 'busybox', 'echo', 'starts']), 'starts')
    }
    await daemon().ok(['stop', '-t', '0', 'it'])
    await daemon().ok(['start', 'it'])
    await daemon().restart()
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'goes on']), 'goes on')
  })

  test('a parent cgroup that somebody has removed is made again', async () => {
    await daemon().ok(['run', '--rm', 'busybox', 'true'])
    const parents = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => / - cgroup2? /.test(line))
      .map((line) => join(line.split(' ')[4] ?? '', daemon().cgroup))
      .filter((path) => existsSync(path))
    assert.notEqual(parents.length, 0)
    for (const path of parents) rmdirSync(path)
    const limits = ['--memory', '100m', '--cpuset-cpus', '0']
    assert.equal(await daemon().ok(['run', '--rm', ...limits, 'busybox', 'echo', 'hi']), 'hi')
  })

  test('account files that are too large are no matter where nobody is named', async () => {
    const grow = 'head -c 5000000 /dev/zero | tr "\\0" "#" >>/etc/passwd; cp /etc/passwd /etc/group'
    await daemon().ok(['run', '--name', 'it', 'busybox', 'sh', '-c', grow])
    await daemon().ok(['commit', 'it', 'large'])
    for (const user of ['', '1000', '1000:1000']) {
      const flags = user === '' ? [] : ['--user', user]
      const shown = await daemon().ok(['run', '--rm', ...flags, 'large', 'id', '-u'])
      assert.equal(shown, user === '' ? '0' : '1000')
    }
    await daemon().ok(['start', 'it'])
    for (const user of ['nobody', '0:users']) {
      const { code, stderr } = await daemon().ctr(['run', '--rm', '--user', user, 'large', 'id'])
      assert.equal(code, 125)
      assert.match(
        stderr,
        /unable to find (nobody|users): \/etc\/(passwd|group) is larger than 4194304 bytes/,
      )
    }
  })
})
