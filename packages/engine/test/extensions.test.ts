// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  containerChanges,
  createContainer,
  getContainer,
  readArchive,
  replaceContainer,
  startContainer,
  stopContainer,
  waitContainer,
} from '@ctr/engine'
import { NEVER, TestEngine, text } from './support.ts'

async function outputOf(t: TestEngine, id: string): Promise<string> {
  return (await t.output(id)).stdout
}

async function run(t: TestEngine, id: string): Promise<{ exitCode: number; stdout: string }> {
  const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
  await startContainer(t.engine, id)
  const { exitCode } = await exited
  return { exitCode, stdout: await outputOf(t, id) }
}

test('a run that takes longer than it may is killed, also by the next engine', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['sleep', '1000'], { hostConfig: { RunTimeout: 1 } })
  const { exitCode } = await run(t, id)
  assert.equal(exitCode, 137)
  await startContainer(t.engine, id)
  await t.reopen()
  const again = await waitContainer(t.engine, id, 'not-running', NEVER)
  assert.equal(again.exitCode, 137)
  const ms = Number(
    (getContainer(t.engine, id).state.finishedAtNs - getContainer(t.engine, id).state.startedAtNs) /
      1_000_000n,
  )
  assert.ok(ms >= 1000 && ms < 30_000, `${ms} ms`)
})

test('what it needs is started first, and healthy if asked for', async () => {
  await using t = await TestEngine.open()
  const check = {
    Healthcheck: { Test: ['CMD', 'test', '-e', '/tmp/ok'], Interval: 30_000_000, Retries: 1000 },
  }
  await t.create(['sh', '-c', 'sleep 0.3; touch /tmp/ok; sleep 1000'], {
    name: 'db',
    config: check,
  })
  await t.create(['sleep', '1000'], { name: 'cache', hostConfig: { Requires: ['db:healthy'] } })
  await t.create(['sleep', '1000'], { name: 'web', hostConfig: { Requires: ['cache', 'db'] } })
  await startContainer(t.engine, 'web')
  assert.equal(getContainer(t.engine, 'db').health?.status, 'healthy')
  const started = ['db', 'cache', 'web'].map(
    (name) => getContainer(t.engine, name).state.startedAtNs,
  )
  assert.ok(
    started.every((time, index) => index === 0 || time > (started[index - 1] ?? 0n)),
    started.join(),
  )
})

test('a start fails when what it needs is unhealthy or ends', async () => {
  await using t = await TestEngine.open()
  await t.create(['sleep', '1000'], {
    name: 'ill',
    config: { Healthcheck: { Test: ['CMD', 'false'], Interval: 30_000_000, Retries: 1 } },
  })
  await t.create(['true'], {
    name: 'short',
    config: { Healthcheck: { Test: ['CMD', 'true'], Interval: 60_000_000_000 } },
  })
  await t.create(['sleep', '1000'], { name: 'c1', hostConfig: { Requires: ['ill:healthy'] } })
  await t.create(['sleep', '1000'], { name: 'c2', hostConfig: { Requires: ['short:healthy'] } })
  await assert.rejects(
    startContainer(t.engine, 'c1'),
    /dependency failed to start: container ill is unhealthy/,
  )
  assert.equal(t.status('c1'), 'created')
  await assert.rejects(startContainer(t.engine, 'c2'), /dependency failed to start: .*ended/)
  await assert.rejects(
    t.create(['true'], { hostConfig: { Requires: ['nobody'] } }),
    /No such container: nobody/,
  )
  await assert.rejects(
    t.create(['true'], { hostConfig: { Requires: ['ill:sick'] } }),
    /invalid requirement/,
  )
})

test('replace removes the old container, but only for one that can be made', async () => {
  await using t = await TestEngine.open()
  const old = await t.create(['sleep', '1000'], { name: 'xx' })
  await startContainer(t.engine, old)
  const request = { name: 'xx', config: { Image: 'busybox' }, hostConfig: { NetworkMode: 'none' } }
  await assert.rejects(
    replaceContainer(t.engine, { ...request, config: { Image: 'nonesuch' } }),
    /No such image/,
  )
  await assert.rejects(
    replaceContainer(t.engine, { ...request, hostConfig: { Memory: 1 } }),
    /Minimum memory/,
  )
  assert.equal(t.status('xx'), 'running')
  await assert.rejects(createContainer(t.engine, request), /already in use/)
  const { id } = await replaceContainer(t.engine, request)
  assert.notEqual(id, old)
  assert.equal(getContainer(t.engine, 'xx').id, id)
})

describe('a directory as root filesystem', () => {
  function makeRoot(): string {
    const root = mkdtempSync('/tmp/ctr-engine-rootfs-')
    chmodSync(root, 0o755)
    mkdirSync(join(root, 'bin'))
    mkdirSync(join(root, 'etc'))
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
    for (const name of ['sh', 'cat', 'id']) symlinkSync('busybox', join(root, 'bin', name))
    writeFileSync(join(root, 'etc/passwd'), 'joe:x:1234:55::/home/joe:/bin/sh\n')
    return root
  }

  test('is written to as it is', async () => {
    await using t = await TestEngine.open()
    const root = makeRoot()
    try {
      const { id } = await createContainer(t.engine, {
        config: { Cmd: ['/bin/sh', '-c', 'id -u; echo new > /new'], User: '' },
        hostConfig: { Rootfs: root, NetworkMode: 'none' },
      })
      assert.deepEqual(await run(t, id), { exitCode: 0, stdout: '0\n' })
      assert.equal(readFileSync(join(root, 'new'), 'utf8'), 'new\n')
      assert.deepEqual(await containerChanges(t.engine, id), [])
      const archive = await readArchive(t.engine, id, '/new')
      assert.match(await text(archive.stream), /new\n/)
      const { id: other } = await createContainer(t.engine, {
        config: { Cmd: ['/bin/sh', '-c', 'id -u'], User: 'joe' },
        hostConfig: { Rootfs: root, NetworkMode: 'none' },
      })
      assert.deepEqual(await run(t, other), { exitCode: 0, stdout: '1234\n' })
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  test('with :O stays as it was', async () => {
    await using t = await TestEngine.open()
    const root = makeRoot()
    try {
      const { id } = await createContainer(t.engine, {
        config: { Cmd: ['/bin/sh', '-c', 'echo new > /new; cat /new'] },
        hostConfig: { Rootfs: `${root}:O`, NetworkMode: 'none' },
      })
      assert.deepEqual(await run(t, id), { exitCode: 0, stdout: 'new\n' })
      assert.equal(existsSync(join(root, 'new')), false)
      const changes = await containerChanges(t.engine, id)
      assert.ok(changes.some(({ path }) => path === '/new'))
      await t.reopen()
      assert.deepEqual(await run(t, id), { exitCode: 0, stdout: 'new\nnew\n' })
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  test('must be there, absolute, and not the host itself', async () => {
    await using t = await TestEngine.open()
    for (const Rootfs of ['relative', '/nonesuch', '/etc/passwd', '/', '/tmp/a:b:O']) {
      const request = { config: { Cmd: ['sh'] }, hostConfig: { Rootfs } }
      await assert.rejects(createContainer(t.engine, request), /invalid rootfs/, Rootfs)
    }
  })
})

test('a container joins a network namespace by its path', async () => {
  await using t = await TestEngine.open()
  const owner = await t.create(['sleep', '1000'])
  await startContainer(t.engine, owner)
  const { state } = getContainer(t.engine, owner)
  assert.ok(state.status === 'running')
  const path = `/proc/${state.pid}/ns/net`
  const id = await t.create(['readlink', '/proc/self/ns/net'], {
    hostConfig: { NetworkMode: `ns:${path}` },
  })
  const { stdout } = await run(t, id)
  assert.equal(stdout, `${readlinkSync(path)}\n`)
  await assert.rejects(
    t.create(['true'], { hostConfig: { NetworkMode: 'ns:relative' } }),
    /must be ns:\/path/,
  )
  await stopContainer(t.engine, owner, { timeoutSeconds: 0 })
})

test('cgroup files must be names; without cgroup v2 controllers there is a warning', async () => {
  await using t = await TestEngine.open()
  const request = (CgroupConf: Record<string, string>): Parameters<typeof createContainer>[1] => ({
    config: { Image: 'busybox' },
    hostConfig: { NetworkMode: 'none', CgroupConf },
  })
  for (const file of ['../x', 'cgroup.procs', 'memory', 'a/b.c']) {
    await assert.rejects(createContainer(t.engine, request({ [file]: '1' })), /cgroup-conf/, file)
  }
  const { warnings } = await createContainer(t.engine, request({ 'memory.high': '64M' }))
  const isV2 = t.engine.host.cgroups.mode === 'v2'
  assert.equal(
    warnings.some((warning) => warning.includes('cgroup-conf')),
    !isV2,
  )
})
