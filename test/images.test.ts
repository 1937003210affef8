import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { imageArchive, requires, run, tarArchive, waitFor } from '@ctr/testkit'
import { checkResult, field, inBusybox, useDaemon } from './daemon-fixture.ts'
import { storeFiles } from './store-files.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

async function images(): Promise<string> {
  return await ctrd().ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])
}

test('a first start brings the image busybox', { skip }, async () => {
  assert.match(await images(), /^busybox:latest$/m)
  const out = await inBusybox(
    ctrd(),
    'echo $PATH; head -1 /etc/passwd; ls -ld /tmp; readlink /bin/ls; cat /etc/group | head -1',
  )
  assert.match(
    out,
    /^\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin\nroot:x?:0:0:/,
  )
  assert.match(out, /^drwxrwxrwt/m)
})

test('a tar of a root filesystem becomes an image, packed or not', { skip }, async () => {
  const tar = `${ctrd().root}/root.tar`
  writeFileSync(
    tar,
    tarArchive([
      { path: 'bin/', type: 'directory' },
      { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
      { path: 'bin/sh', type: 'symlink', target: 'busybox' },
    ]),
  )
  await run(['gzip', '-kf', tar])
  for (const [file, name] of [
    [tar, 'imp:plain'],
    [`${tar}.gz`, 'imp:gz'],
  ] as const) {
    assert.match(await ctrd().ok(['import', file, name]), /^sha256:[0-9a-f]{64}$/)
    assert.equal(await ctrd().ok(['run', '--rm', name, '/bin/sh', '-c', 'echo ok']), 'ok')
    await ctrd().ok(['rmi', name])
  }
})

test('run of an unknown image says so and ends with 125', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--pull', 'never', 'nosuchimg', 'true'])
  checkResult({ code: 125, stderr: /No such image: nosuchimg:latest/ }, result)
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

test('containers of one image share its layers', { skip }, async () => {
  for (const name of ['s1', 's2']) await ctrd().ok(['create', '--name', name, 'busybox', 'true'])
  const lowest = async (name: string): Promise<string | undefined> =>
    (await field(ctrd(), name, '{{.GraphDriver.Data.LowerDir}}')).split(':').at(-1)
  assert.equal(await lowest('s1'), await lowest('s2'))
})

test('commit of a running container makes an image and leaves it running', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'vc', 'busybox', 'sh', '-c', 'echo hi >/keep; sleep 300'])
  await ctrd().ok(['exec', 'vc', 'sh', '-c', 'until [ -s /keep ]; do sleep 0.01; done'])
  assert.match(await ctrd().ok(['commit', 'vc', 'kept']), /^sha256:[0-9a-f]{64}$/)
  assert.equal(await ctrd().ok(['run', '--rm', 'kept', 'cat', '/keep']), 'hi')
  assert.equal(await field(ctrd(), 'vc', '{{.State.Status}}'), 'running')
  await ctrd().ok(['rmi', 'kept'])
})

test('commit to a name in use moves the name', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'one', 'busybox', 'touch', '/one'])
  await ctrd().ok(['run', '--name', 'two', 'busybox', 'touch', '/two'])
  const first = await ctrd().ok(['commit', 'one', 'moved'])
  const second = await ctrd().ok(['commit', 'two', 'moved'])
  assert.equal(await ctrd().ok(['image', 'inspect', '-f', '{{.Id}}', 'moved']), second)
  assert.equal(await ctrd().ok(['image', 'inspect', '-f', '{{len .RepoTags}}', first]), '0')
  await ctrd().ok(['rmi', first, second])
})

test('commit leaves volumes out', { skip }, async () => {
  await ctrd().ok([
    'run',
    '--name',
    'vv',
    '-v',
    `${ctrd().root}/outside:/data`,
    'busybox',
    'touch',
    '/data/f',
    '/kept',
  ])
  await ctrd().ok(['commit', 'vv', 'without'])
  assert.equal(
    await ctrd().ok(['run', '--rm', 'without', 'sh', '-c', 'ls /data; ls /kept']),
    '/kept',
  )
  await ctrd().ok(['rm', 'vv'])
  await ctrd().ok(['rmi', 'without'])
})

test('commit of nothing is a usage error, of an unknown container not found', {
  skip,
}, async () => {
  assert.equal((await ctrd().ctr(['commit'])).code, 1)
  checkResult(
    { code: 1, stderr: /No such container: nope/ },
    await ctrd().ctr(['commit', 'nope', 'xx']),
  )
})

test('tag gives a second name, rmi takes one after the other', { skip }, async () => {
  await ctrd().ok(['tag', 'busybox', 'other:v1'])
  assert.match(await images(), /^other:v1$/m)
  assert.equal(await ctrd().ok(['rmi', 'other:v1']), 'Untagged: other:v1')
  assert.doesNotMatch(await images(), /other/)
})

test('rmi of an image in use is a conflict', { skip }, async () => {
  await ctrd().ok(['create', '--name', 'user', 'busybox', 'true'])
  const result = await ctrd().ctr(['rmi', 'busybox'])
  checkResult(
    {
      code: 1,
      stderr:
        /conflict: unable to remove repository reference "busybox" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
    },
    result,
  )
  assert.match(await images(), /^busybox:latest$/m)
})

test('history shows the layers', { skip }, async () => {
  assert.match(
    await ctrd().ok(['history', 'busybox']),
    /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /,
  )
})

test('save and load give back the same image', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'xx', 'busybox', 'sh', '-c', 'echo saved >/saved; rm /bin/vi'])
  const id = await ctrd().ok(['commit', 'xx', 'round:trip'])
  await ctrd().ok(['rm', 'xx'])
  const file = `${ctrd().root}/round.tar`
  await ctrd().ok(['save', '-o', file, 'round:trip'])
  const names = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n')
  for (const name of ['manifest.json', 'oci-layout', 'index.json'])
    assert.ok(names.includes(name), name)
  await ctrd().ok(['rmi', 'round:trip'])
  assert.equal(await ctrd().ok(['load', '-i', file]), 'Loaded image: round:trip')
  assert.equal(await ctrd().ok(['image', 'inspect', '-f', '{{.Id}}', 'round:trip']), id)
  assert.equal(
    await ctrd().ok([
      'run',
      '--rm',
      'round:trip',
      'sh',
      '-c',
      'cat /saved; test -e /bin/vi || echo gone',
    ]),
    'saved\ngone',
  )
  await ctrd().ok(['rmi', 'round:trip'])
})

const needsDocker = skip || requires({ commands: ['skopeo'] })
test('another tool reads what save writes', { skip: needsDocker }, async () => {
  const file = `${ctrd().root}/busybox.tar`
  await ctrd().ok(['save', '-o', file, 'busybox'])
  const { code, stderr } = await run(['skopeo', 'inspect', `docker-archive:${file}`])
  assert.equal(code, 0, stderr)
})

test('an image’s config is obeyed: entry point, command, user, directory, environment', {
  skip,
}, async () => {
  const archive = imageArchive({
    reference: 'configured:1',
    layers: [
      [
        { path: 'bin/', type: 'directory' },
        { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
        { path: 'bin/sh', type: 'symlink', target: 'busybox' },
        { path: 'etc/', type: 'directory' },
        { path: 'etc/passwd', content: 'app:x:123:45::/home/app:/bin/sh\n' },
        { path: 'etc/group', content: 'app:x:45:\nmore:x:46:app\n' },
      ],
    ],
    config: {
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['/bin/busybox id; /bin/busybox pwd; echo $V $HOME'],
      User: 'app',
      WorkingDir: '/srv',
      Env: ['PATH=/bin', 'V=7'],
    },
  })
  checkResult(
    { stdout: /Loaded image: configured:1/ },
    await ctrd().ctr(['load'], { input: archive }),
  )
  const out = await ctrd().ok(['run', '--rm', 'configured:1'])
  assert.equal(out, 'uid=123(app) gid=45(app) groups=45(app),46(more)\n/srv\n7 /home/app')
  assert.equal(await ctrd().ok(['run', '--rm', 'configured:1', 'echo other']), 'other')
  await ctrd().ok(['rmi', 'configured:1'])
})

test('after rmi of everything only the database is left in the store', { skip }, async () => {
  await ctrd().ok(['rmi', '-f', 'busybox'])
  assert.equal(await images(), '')
  const left = (): string[] =>
    storeFiles(ctrd().dataRoot)
      // Below every container: the layer of mount points is of no image.
      .filter((path) => path !== 'snapshots/0')
  await waitFor('an empty store', () => left().length === 0).catch(() => undefined)
  assert.deepEqual(left(), [])
})
