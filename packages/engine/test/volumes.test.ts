// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  commitContainer,
  createVolume,
  getContainer,
  listVolumes,
  removeContainer,
  removeVolume,
  startContainer,
  waitContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { NEVER, TestEngine } from './support.ts'

describe('volumes and binds', () => {
  let t: TestEngine
  let host: string
  before(async () => {
    t = await TestEngine.open()
    host = mkdtempSync('/tmp/ctr-engine-host-')
  })
  after(async () => {
    await t[Symbol.asyncDispose]()
    rmSync(host, { recursive: true, force: true })
  })

  const sh = (script: string, hostConfig: object, config: object = {}) =>
    t.run(['sh', '-c', script], { hostConfig, config })

  test('-v makes the missing host directory and shows it both ways', async () => {
    const source = join(host, 'n1/n2')
    await sh('echo new >/x/y/g', { Binds: [`${source}:/x/y`] })
    assert.equal(readFileSync(join(source, 'g'), 'utf8'), 'new\n')
    const { exitCode, stderr } = await sh('touch /x/f', { Binds: [`${source}:/x:ro`] })
    assert.equal(exitCode, 1)
    assert.match(stderr, /Read-only file system/)
  })

  test('--mount refuses a missing source', async () => {
    const mount = { Type: 'bind', Source: join(host, 'missing'), Target: '/x' }
    await assert.rejects(t.create(['true'], { hostConfig: { Mounts: [mount] } }), (error) => {
      assert.ok(isEngineError(error, 'INVALID_ARGUMENT'))
      assert.match(error.message, /bind source path does not exist/)
      return true
    })
  })

  test('a file as source, and an image’s symlink does not lead out', async () => {
    writeFileSync(join(host, 'file'), 'data')
    assert.equal((await sh('cat /f', { Binds: [`${join(host, 'file')}:/f`] })).stdout, 'data')
    const parent = await sh('ln -s /../../../evil /link', {})
    assert.equal(parent.exitCode, 0)
    assert.ok(!existsSync('/evil'))
  })

  test('a named volume is made on use, keeps data, and is removed only unused', async () => {
    const { id } = await sh('echo kept >/d/f', { Binds: ['vol1:/d'] })
    const other = await sh('cat /d/f', { Binds: ['vol1:/d'] })
    assert.equal(other.stdout, 'kept\n')
    await assert.rejects(removeVolume(t.engine, 'vol1', { force: false }), (error) => {
      assert.ok(isEngineError(error, 'CONFLICT'))
      assert.match(error.message, /volume is in use/)
      return true
    })
    for (const one of [id, other.id]) {
      await removeContainer(t.engine, one, { force: true, volumes: true })
    }
    const volume = t.engine.volumes.get('vol1')
    await removeVolume(t.engine, 'vol1', { force: false })
    assert.ok(!existsSync(volume.mountpoint))
    await assert.rejects(removeVolume(t.engine, 'vol1', { force: false }), (e) =>
      isEngineError(e, 'NOT_FOUND'),
    )
    await removeVolume(t.engine, 'vol1', { force: true })
  })

  test('an empty volume gets the image’s content with owners and modes; nocopy does not', async () => {
    const id = await t.create(['true'], {
      hostConfig: { Binds: ['copied:/etc', 'empty:/bin:nocopy'] },
    })
    const copied = t.engine.volumes.get('copied').mountpoint
    assert.match(readFileSync(join(copied, 'passwd'), 'utf8'), /^root:/)
    assert.equal(statSync(join(copied, 'shadow')).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(t.engine.volumes.get('empty').mountpoint), [])
    await removeContainer(t.engine, id, { force: false, volumes: true })
    assert.deepEqual(
      readdirSync(join(t.config.dataRoot, 'tmp')).filter((n) => n.startsWith('copy-up')),
      [],
    )
  })

  test('its content is found through symlinks of other layers, and below what another layer has', async () => {
    const commit = (container: string) =>
      commitContainer(t.engine, { container, author: '', comment: '', changes: [], pause: true })
    const made = 'mkdir -p /real/sub /both/low; echo 1 >/real/sub/f; echo 2 >/both/low/f'
    const lower = await t.run(['sh', '-c', made])
    const imageId = await commit(lower.id)
    const upper = await t.run(['sh', '-c', 'ln -s real /link; mkdir /both/high'], {
      config: { Image: imageId },
    })
    const image = await commit(upper.id)
    const { stdout } = await t.run(['cat', '/link/sub/f', '/both/low/f'], {
      config: { Image: image },
      hostConfig: { Binds: ['linked:/link/sub', 'lower:/both/low', 'nothing:/both/none'] },
    })
    assert.equal(stdout, '1\n2\n')
    const content = ['linked', 'lower', 'nothing'].map((name) =>
      readdirSync(t.engine.volumes.get(name).mountpoint),
    )
    assert.deepEqual(content, [['f'], ['f'], []])
  })

  test('a volume over a file of the image is refused and leaves nothing', async () => {
    const count = t.engine.volumes.all().length
    await assert.rejects(
      t.create(['true'], { config: { Volumes: { '/etc/passwd': {} } } }),
      /cannot mount volume over existing file/,
    )
    assert.equal(t.engine.volumes.all().length, count)
    assert.equal(readdirSync(join(t.config.dataRoot, 'volumes')).length, count)
  })

  test('anonymous volumes go with rm -v and with --rm, and only then', async () => {
    const anonymous = (id: string): string =>
      getContainer(t.engine, id).mounts.find((mount) => mount.destination === '/a')?.name ?? ''
    const kept = await t.create(['true'], { config: { Volumes: { '/a': {} } } })
    const keptName = anonymous(kept)
    await removeContainer(t.engine, kept, { force: false, volumes: false })
    assert.ok(t.engine.volumes.find(keptName))
    const gone = await t.create(['true'], { config: { Volumes: { '/a': {} } } })
    const goneName = anonymous(gone)
    await removeContainer(t.engine, gone, { force: false, volumes: true })
    assert.equal(t.engine.volumes.find(goneName), undefined)
    const auto = await t.create(['true'], {
      config: { Volumes: { '/a': {} } },
      hostConfig: { AutoRemove: true },
    })
    const autoName = anonymous(auto)
    const removed = waitContainer(t.engine, auto, 'removed', NEVER)
    await startContainer(t.engine, auto)
    await removed
    assert.equal(t.engine.volumes.find(autoName), undefined)
  })

  test('--volumes-from shares what another container has', async () => {
    const donor = await t.create(['true'], { hostConfig: { Binds: ['shared:/s'] }, name: 'donor' })
    const { stdout } = await sh('echo x >/s/f; cat /s/f', { VolumesFrom: ['donor'] })
    assert.equal(stdout, 'x\n')
    assert.equal((await sh('touch /s/g', { VolumesFrom: ['donor:ro'] })).exitCode, 1)
    await removeContainer(t.engine, donor, { force: false, volumes: false })
  })

  test('the last container that has an anonymous volume removes it, be it from --volumes-from', async () => {
    const remove = (id: string, volumes: boolean): Promise<unknown> =>
      removeContainer(t.engine, id, { force: false, volumes })
    const hostConfig = { Binds: ['/anonymous', 'kept:/k'] }
    const donor = await t.create(['true'], { hostConfig, name: 'giver' })
    const heir = await t.create(['true'], { hostConfig: { VolumesFrom: ['giver'] } })
    const { mounts } = t.engine.containers.get(donor)
    const name = mounts.find(({ destination }) => destination === '/anonymous')?.name ?? ''
    await remove(donor, false)
    assert.ok(t.engine.volumes.find(name))
    await remove(heir, true)
    assert.equal(t.engine.volumes.find(name), undefined)
    assert.ok(t.engine.volumes.find('kept'))
  })

  test('tmpfs has its options, a read-only root refuses writes', async () => {
    const { stdout, stderr } = await sh('df -k /t | tail -1; stat -c %a /t; touch /x; touch /t/x', {
      Tmpfs: { '/t': 'size=1m,mode=1777' },
      ReadonlyRootfs: true,
    })
    assert.match(stdout, /^tmpfs\s+1024 /)
    assert.match(stdout, /^1777$/m)
    assert.match(stderr, /^touch: \/x: Read-only file system\n$/)
  })

  test('specifications that cannot be are refused with Docker’s words and leave nothing', async () => {
    const count = t.engine.containers.all().length
    for (const [bind, words] of [
      ['/a:', /invalid volume specification: '\/a:'/],
      [':/b', /invalid volume specification: ':\/b'/],
      ['a:b:c:d', /invalid volume specification: 'a:b:c:d'/],
      ['/h:rel', /invalid mount path: 'rel' mount path must be absolute/],
      ['/h:/', /destination can't be '\/'/],
      ['/h:/x:zz', /invalid mode: zz/],
      ['bad*name:/x', /includes invalid characters for a local volume name/],
    ] as const) {
      await assert.rejects(t.create(['true'], { hostConfig: { Binds: [bind] } }), words)
    }
    await assert.rejects(
      t.create(['true'], { hostConfig: { Binds: ['/a:/x', '/b:/x'] } }),
      /Duplicate mount point: \/x/,
    )
    assert.equal(t.engine.containers.all().length, count)
  })

  test('create is idempotent, list filters', async () => {
    const made = await createVolume(t.engine, { name: 'listed', labels: { a: 'b' } })
    assert.deepEqual(await createVolume(t.engine, { name: 'listed' }), made)
    const names = (filters: [string, string[]][]): string[] =>
      listVolumes(t.engine, new Map(filters)).map(({ name }) => name)
    assert.deepEqual(names([['label', ['a=b']]]), ['listed'])
    assert.ok(names([['dangling', ['true']]]).includes('listed'))
    assert.ok(!names([['dangling', ['false']]]).includes('listed'))
    await assert.rejects(createVolume(t.engine, { name: 'x'.repeat(300) }), (e) =>
      isEngineError(e, 'INVALID_ARGUMENT'),
    )
    mkdirSync(join(host, 'unused'), { recursive: true })
  })
})
