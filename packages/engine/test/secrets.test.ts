// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  createContainer,
  createExec,
  createSecret,
  explainContainer,
  getSecret,
  listSecrets,
  removeContainer,
  removeSecret,
  startContainer,
  startExec,
  updateSecret,
  waitContainer,
} from '@ctr/engine'
import { demultiplex, NEVER, TestEngine } from './support.ts'

function make(t: TestEngine, name: string, data: string): string {
  return createSecret(t.engine, { name, labels: { a: 'b' }, data: Buffer.from(data) })
}

async function outputOf(t: TestEngine, id: string): Promise<{ stdout: string; stderr: string }> {
  const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
  await startContainer(t.engine, id)
  await exited
  return await t.output(id)
}

test('a container reads its secrets from files on a read-only tmpfs, and from variables', async () => {
  await using t = await TestEngine.open()
  make(t, 'db', 's3cret')
  make(t, 'cert', 'PEM')
  make(t, 'token', 'abc')
  const script = [
    'stat -c "%n %a %u %g" /run/secrets/*',
    'cat /run/secrets/db /run/secrets/sub/x /etc/tls/cert',
    'echo " $TOKEN"',
    'grep -c "tmpfs /run/secrets tmpfs ro,nosuid,nodev,noexec" /proc/mounts',
    'echo no > /run/secrets/db; echo no > /etc/tls/cert',
  ].join('\n')
  const id = await t.create(['sh', '-c', script], {
    hostConfig: {
      Secrets: [
        { Source: 'db', UID: 5, GID: 6, Mode: 0o400 },
        { Source: 'db', Target: 'sub/x' },
        { Source: 'cert', Target: '/etc/tls/cert' },
        { Source: 'token', Type: 'env', Target: 'TOKEN' },
      ],
    },
  })
  const { stdout, stderr } = await outputOf(t, id)
  const lines = stdout.split('\n')
  assert.deepEqual(lines.slice(0, 4), [
    '/run/secrets/db 400 5 6',
    '/run/secrets/sub 755 0 0',
    's3crets3cretPEM abc',
    '1',
  ])
  assert.equal(stderr.match(/Read-only file system/g)?.length, 2, stderr)
})

test('an exec has the variables, too', async () => {
  await using t = await TestEngine.open()
  make(t, 'TOKEN', 'abc')
  const id = await t.create(['sleep', '100'], {
    hostConfig: { Secrets: [{ Source: 'TOKEN', Type: 'env' }] },
  })
  await startContainer(t.engine, id)
  const exec = await createExec(t.engine, id, {
    Cmd: ['sh', '-c', 'echo $TOKEN'],
    AttachStdout: true,
  })
  const session = await startExec(t.engine, exec, { detach: false, tty: false })
  const stream = await session?.stream
  assert.ok(stream !== undefined)
  assert.equal((await demultiplex(stream)).stdout, 'abc\n')
})

test('secrets are neither in the database, nor shown, nor lost with the engine', async () => {
  await using t = await TestEngine.open()
  const data = 'a-rather-unlikely-text'
  const id = make(t, 'db', data)
  const database = ['ctr.db', 'ctr.db-wal'].map((name) =>
    readFileSync(join(t.config.dataRoot, name)).includes(data),
  )
  assert.deepEqual(database, [false, false])
  const text = await explainContainer(t.engine, {
    config: { Image: 'busybox' },
    hostConfig: {
      NetworkMode: 'none',
      Secrets: [{ Source: 'db' }, { Source: 'db', Type: 'env', Target: 'DB' }],
    },
  })
  assert.equal(text.includes(data), false)
  assert.match(text, /file\("\/run\/secrets\/db", 22 bytes, 0444/)
  await t.reopen()
  const container = await t.create(['cat', '/run/secrets/db'], {
    hostConfig: { Secrets: [{ Source: id }] },
  })
  assert.equal((await outputOf(t, container)).stdout, data)
})

test('a secret that a container refers to stays', async () => {
  await using t = await TestEngine.open()
  make(t, 'db', 'x')
  const id = await t.create(['true'], { name: 'web', hostConfig: { Secrets: [{ Source: 'db' }] } })
  assert.throws(() => removeSecret(t.engine, 'db'), /secret 'db' is in use by .*: web/)
  await removeContainer(t.engine, id, { force: true, volumes: true })
  removeSecret(t.engine, 'db')
  assert.throws(() => getSecret(t.engine, 'db'), /secret db not found/)
})

test('names, sizes, versions and references are checked', async () => {
  await using t = await TestEngine.open()
  const id = make(t, 'db', 'x')
  assert.throws(() => make(t, 'db', 'y'), /secret db already exists/)
  for (const name of ['', '-a', 'a-', 'a b', '../a', 'a'.repeat(65)]) {
    assert.throws(() => make(t, name, 'x'), /invalid name/, name)
  }
  for (const data of ['', 'x'.repeat(512_001)]) {
    assert.throws(() => make(t, 'other', data), /must be larger than 0 and less than 512000 bytes/)
  }
  assert.throws(() => updateSecret(t.engine, id, { version: 7, labels: {} }), /out of sequence/)
  updateSecret(t.engine, id, { version: 1, labels: { c: 'd' } })
  const [listed] = listSecrets(t.engine, new Map([['label', ['c=d']]]))
  assert.deepEqual([listed?.name, listed?.version], ['db', 2])
  assert.deepEqual(listSecrets(t.engine, new Map([['name', ['x']]])), [])
  const bad = [
    [{ Source: 'nobody' }, /secret nobody not found/],
    [{ Source: 'db', Target: '../../etc/passwd' }, /invalid target/],
    [{ Source: 'db', Type: 'env', Target: 'A-B' }, /no name of a variable/],
    [{ Source: 'db', Type: 'socket' }, /type socket is invalid/],
    [{ Source: 'db', UID: -1 }, /invalid uid/],
  ] as const
  for (const [secret, message] of bad) {
    const request = { config: { Image: 'busybox' }, hostConfig: { Secrets: [secret] } }
    await assert.rejects(createContainer(t.engine, request), message)
  }
  await assert.rejects(
    createContainer(t.engine, {
      config: { Image: 'busybox' },
      hostConfig: { Secrets: [{ Source: 'db' }], Binds: ['/tmp:/run/secrets/own'] },
    }),
    /Duplicate mount point/,
  )
})
