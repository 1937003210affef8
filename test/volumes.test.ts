import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { checkResult, field, inBusybox, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

function hostDirectory(name: string): string {
  const path = `${ctrd().root}/${name}`
  mkdirSync(path, { recursive: true })
  return path
}

test('a bound directory is seen from both sides and outlives the container', { skip }, async () => {
  const host = hostDirectory('both')
  writeFileSync(`${host}/from-host`, 'h')
  await ctrd().ok(['run', '-d', '--name', 'v1', '-v', `${host}:/data`, 'busybox', 'sleep', '300'])
  assert.equal(await ctrd().ok(['exec', 'v1', 'cat', '/data/from-host']), 'h')
  await ctrd().ok(['exec', 'v1', 'sh', '-c', 'echo new >/data/g'])
  await ctrd().ok(['rm', '-f', 'v1'])
  assert.equal(readFileSync(`${host}/g`, 'utf8'), 'new\n')
})

test('what the host mounts below a bind is seen with rslave, and not with rprivate', {
  skip,
}, async () => {
  const host = hostDirectory('shared')
  await mounted(['-t', 'tmpfs', 'tmpfs'], host, async () => {
    await run(['mount', '--make-shared', host])
    mkdirSync(`${host}/below`)
    for (const mode of ['rslave', 'rprivate']) {
      const volume = `${host}:/data:${mode}`
      await ctrd().ok(['run', '-d', '--name', mode, '-v', volume, 'busybox', 'sleep', '300'])
    }
    await mounted(['-t', 'tmpfs', 'tmpfs'], `${host}/below`, async () => {
      writeFileSync(`${host}/below/late`, '')
      assert.equal(await ctrd().ok(['exec', 'rslave', 'ls', '/data/below']), 'late')
      assert.equal(await ctrd().ok(['exec', 'rprivate', 'ls', '/data/below']), '')
    })
    assert.equal(await ctrd().ok(['exec', 'rslave', 'ls', '/data/below']), '')
    await ctrd().ok(['rm', '-f', 'rslave', 'rprivate'])
  })
})

async function mounted(
  args: readonly string[],
  path: string,
  use: () => Promise<void>,
): Promise<void> {
  assert.equal((await run(['mount', ...args, path])).code, 0)
  try {
    await use()
  } finally {
    await run(['umount', '-l', path])
  }
}

test('a size for the container layer is refused, and leaves no container', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--storage-opt', 'size=20m', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /--storage-opt is supported only for overlay over xfs/ }, result)
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

const badSpecs: [string, RegExp][] = [
  ['/ctr-none:', /invalid (volume specification|spec)|empty section/],
  [':/b', /invalid (volume specification|spec)|empty section/],
  [':', /invalid (volume specification|spec)|empty section/],
  ['a:b:c:d', /invalid (volume specification|spec)/],
  ['/ctr-none:rel', /invalid mount path: 'rel' mount path must be absolute/],
  ['/ctr-none:/', /invalid (volume specification|spec).*destination can't be '\/'/],
  ['/ctr-none:/x:zz', /invalid mode: zz/],
]
for (const [spec, stderr] of badSpecs) {
  test(`-v ${spec} is refused and leaves no container and no directory`, { skip }, async () => {
    const result = await ctrd().ctr(['run', '-v', spec, 'busybox', 'true'])
    checkResult({ code: 125, stderr }, result)
    assert.equal(await ctrd().ok(['ps', '-aq']), '')
    assert.ok(!existsSync('/ctr-none'))
  })
}

test('missing directories are made on both sides', { skip }, async () => {
  const host = `${ctrd().root}/n1/n2/n3`
  await ctrd().ok(['run', '--rm', '-v', `${host}:/x/y/z`, 'busybox', 'touch', '/x/y/z/f'])
  assert.ok(existsSync(`${host}/f`))
})

test('--mount type=bind does not make its source', { skip }, async () => {
  const source = `${ctrd().root}/nope`
  const result = await ctrd().ctr([
    'run',
    '--mount',
    `type=bind,src=${source},dst=/x`,
    'busybox',
    'true',
  ])
  checkResult(
    { code: 125, stderr: /invalid mount config for type "bind": bind source path does not exist/ },
    result,
  )
  assert.ok(!existsSync(source))
})

test('a mount onto the root or into /proc is refused', { skip }, async () => {
  const host = hostDirectory('refused')
  for (const target of ['/proc', '/proc/self', '/proc/sys/kernel']) {
    const result = await ctrd().ctr(['run', '--rm', '-v', `${host}:${target}`, 'busybox', 'true'])
    assert.notEqual(result.code, 0, target)
  }
})

test(':ro refuses writes', { skip }, async () => {
  const host = hostDirectory('ro')
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '-v',
    `${host}:/d:ro`,
    'busybox',
    'touch',
    '/d/f',
  ])
  checkResult({ code: 1, stderr: /Read-only file system/ }, result)
})

test('a single file can be bound', { skip }, async () => {
  const file = `${hostDirectory('file')}/f`
  writeFileSync(file, 'content')
  assert.equal(await inBusybox(ctrd(), 'cat /etc/mine', ['-v', `${file}:/etc/mine`]), 'content')
})

test('a mount target that is a symbolic link stays inside the root', { skip }, async () => {
  const host = hostDirectory('target')
  writeFileSync(`${host}/inside`, 'x')
  await ctrd().ok([
    'run',
    '--name',
    'link',
    'busybox',
    'ln',
    '-s',
    '/../../../ctr-test-evil',
    '/link',
  ])
  await ctrd().ok(['commit', 'link', 'linked'])
  const out = await ctrd().ok([
    'run',
    '--rm',
    '-v',
    `${host}:/link`,
    'linked',
    'cat',
    '/link/inside',
  ])
  assert.equal(out, 'x')
  assert.ok(!existsSync('/ctr-test-evil'))
  await ctrd().ok(['rm', 'link'])
  await ctrd().ok(['rmi', 'linked'])
})

test('--tmpfs has the size and mode asked for', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'df -k /t | tail -1 | awk "{print \\$2}"; stat -c %a /t', [
    '--tmpfs',
    '/t:size=1m,mode=1777',
  ])
  assert.equal(out, '1024\n1777')
})

test('files in a bound directory survive the removal of a container that is writing them', {
  skip,
}, async () => {
  const host = hostDirectory('busy')
  for (let index = 0; index < 50; index++) writeFileSync(`${host}/kept${index}`, 'x')
  await ctrd().ok([
    'run',
    '-d',
    '--name',
    'busy',
    '-v',
    `${host}:/d`,
    'busybox',
    'sh',
    '-c',
    'i=0; while :; do echo $i >/d/new$i; i=$((i+1)); done',
  ])
  await ctrd().ok(['exec', 'busy', 'sh', '-c', 'until [ -e /d/new5 ]; do :; done'])
  await ctrd().ok(['rm', '-f', 'busy'])
  assert.equal(readdirSync(host).filter((name) => name.startsWith('kept')).length, 50)
})

test('a named volume keeps its data, is in use while a container exists, and goes with volume rm', {
  skip,
}, async () => {
  await ctrd().ok(['volume', 'create', 'vol'])
  await ctrd().ok(['run', '--name', 'ww', '-v', 'vol:/d', 'busybox', 'sh', '-c', 'echo kept >/d/f'])
  checkResult({ code: 1, stderr: /volume is in use/ }, await ctrd().ctr(['volume', 'rm', 'vol']))
  await ctrd().ok(['rm', 'ww'])
  assert.equal(await inBusybox(ctrd(), 'cat /d/f', ['-v', 'vol:/d']), 'kept')
  const mountpoint = await ctrd().ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'vol'])
  assert.equal(readFileSync(`${mountpoint}/f`, 'utf8'), 'kept\n')
  assert.match(await ctrd().ok(['volume', 'ls']), /^DRIVER +VOLUME NAME\nlocal +vol$/m)
  await ctrd().ok(['volume', 'rm', 'vol'])
  assert.ok(!existsSync(mountpoint))
  checkResult(
    { code: 1, stderr: /no such volume/i },
    await ctrd().ctr(['volume', 'inspect', 'vol']),
  )
})

test('a new named volume begins with what the image has at that place', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'ls /etc/passwd', ['-v', 'etc-copy:/etc'])
  assert.equal(out, '/etc/passwd')
  await ctrd().ok(['volume', 'rm', 'etc-copy'])
})

test('inspect lists the mounts', { skip }, async () => {
  const host = hostDirectory('listed')
  await ctrd().ok([
    'create',
    '--name',
    'mm',
    '-v',
    `${host}:/a:ro`,
    '-v',
    'named:/b',
    'busybox',
    'true',
  ])
  const mounts = JSON.parse(await field(ctrd(), 'mm', '{{json .Mounts}}')) as {
    Type: string
    Destination: string
    RW: boolean
  }[]
  const short = mounts.map(({ Type, Destination, RW }) => `${Destination} ${Type} ${RW}`).toSorted()
  assert.deepEqual(short, ['/a bind false', '/b volume true'])
  await ctrd().ok(['rm', 'mm'])
  await ctrd().ok(['volume', 'rm', 'named'])
})
