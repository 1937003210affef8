// needs root, overlay and ID-mapped mounts (Linux 5.19; ext4, xfs, btrfs; tmpfs since 6.3)
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { after, before, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import {
  commitContainer,
  containerChanges,
  createExec,
  exportContainer,
  getContainer,
  getExec,
  readArchive,
  removeContainer,
  renameContainer,
  startContainer,
  startExec,
} from '@ctr/engine'
import { TestEngine } from './support.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'

describe('containers in user namespaces', { skip }, () => {
  let t: TestEngine
  let host: string
  before(async () => {
    t = await TestEngine.open({ bridge: { kind: 'none' } })
    host = mkdtempSync('/tmp/ctr-engine-userns-')
  })
  after(async () => {
    await t[Symbol.asyncDispose]()
    rmSync(host, { recursive: true, force: true })
  })

  /** Output of a shell script, which must succeed. */
  async function output(script: string, hostConfig: object, config: object = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await t.run(['sh', '-c', script], { hostConfig, config })
    assert.equal(exitCode, 0, stderr)
    return stdout
  }

  async function exec(id: string, Cmd: string[]): Promise<number> {
    const execId = await createExec(t.engine, id, { Cmd, AttachStdout: true })
    const session = await startExec(t.engine, execId, { detach: false, tty: false })
    const stream = await session?.stream
    stream?.resume()
    if (stream !== undefined) await finished(stream, { writable: false })
    for (;;) {
      const { state } = getExec(t.engine, execId)
      if (state.status === 'exited') return state.exitCode
      await setImmediate()
    }
  }

  const userNamespaceOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/user`)

  async function running(hostConfig: object): Promise<{ id: string; pid: number }> {
    const id = await t.create(['sleep', '300'], { hostConfig })
    await startContainer(t.engine, id)
    const { state } = getContainer(t.engine, id)
    assert.equal(state.status, 'running')
    return { id, pid: 'pid' in state ? state.pid : 0 }
  }

  test('auto: a range of its own for each, and root owns the image', async () => {
    const script = 'id -u; stat -c %u /bin/busybox /etc/passwd /etc/hosts; touch /etc/hosts /new'
    assert.equal(await output(script, { UsernsMode: 'auto' }), '0\n0\n0\n0\n')
    const a = await running({ UsernsMode: 'auto' })
    const b = await running({ UsernsMode: 'auto:size=1000' })
    const map = (pid: number): number[] =>
      readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/).map(Number)
    const [first, second] = [map(a.pid), map(b.pid)]
    assert.deepEqual([first[0], first[2], second[0], second[2]], [0, 65_536, 0, 1000])
    const [start = 0, other = 0] = [first[1], second[1]]
    assert.ok(start + 65_536 <= other || other + 1000 <= start, `${start} ${other}`)
    assert.equal(statSync(`/proc/${a.pid}`).uid, start)
    // What is kept survives the engine.
    await t.reopen()
    const c = await running({ UsernsMode: 'auto' })
    const [, third = 0] = map(c.pid)
    assert.ok(![start, other].includes(third))
  })

  test('map: the ids that were asked for; group ids follow', async () => {
    const { pid } = await running({ UsernsMode: 'map', UidMap: ['0:300000:1000', '2000:5000'] })
    const expected = /^\s*0 +300000 +1000\n\s*2000 +5000 +1\n$/
    assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), expected)
    assert.match(readFileSync(`/proc/${pid}/gid_map`, 'utf8'), expected)
  })

  test('keep-id: the same ids, but no power over the host', async () => {
    const { pid } = await running({ UsernsMode: 'keep-id' })
    assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s*0 +0 +4294967295\n$/)
  })

  test('what is wrong is refused', async () => {
    const rows: [object, RegExp][] = [
      [{ UsernsMode: 'map', UidMap: ['1:300000:1000'] }, /root \(0\) is not mapped/],
      [{ UsernsMode: 'map' }, /needs a uid map/],
      [{ UsernsMode: 'map', UidMap: ['0:1:2', '1:9:1'] }, /ranges overlap/],
      [{ UsernsMode: 'map', UidMap: ['0:x:2'] }, /invalid uid map/],
      [{ UsernsMode: 'map', UidMap: ['0:4294967295:1'] }, /ids end at/],
      [{ UsernsMode: 'auto:size=0' }, /invalid user namespace size/],
      [{ UsernsMode: 'what' }, /invalid user namespace mode: what/],
      [{ UsernsMode: 'auto', Privileged: true }, /privileged mode is incompatible/],
      [{ UsernsMode: 'auto', NetworkMode: 'host' }, /cannot share the host's network/],
      [{ UsernsMode: 'auto', PidMode: 'host' }, /cannot share the host PID namespace/],
      [{ UsernsMode: 'auto', NetworkMode: 'ns:/proc/1/ns/net' }, /cannot join another network/],
    ]
    for (const [hostConfig, error] of rows) {
      await assert.rejects(t.create(['true'], { hostConfig }), error, JSON.stringify(hostConfig))
    }
  })

  test('who shares namespaces of a container is in its user namespace', async () => {
    const first = await running({ UsernsMode: 'auto', IpcMode: 'shareable' })
    const of = (pid: number, type: string): string => readlinkSync(`/proc/${pid}/ns/${type}`)
    const mode = `container:${first.id}`
    const rows = [
      ['net', { NetworkMode: mode }],
      ['ipc', { IpcMode: mode }],
      ['pid', { PidMode: mode }],
      ['net', { NetworkMode: mode, IpcMode: mode, PidMode: mode }],
    ] as const
    for (const [type, hostConfig] of rows) {
      const { id, pid } = await running(hostConfig)
      for (const one of ['user', type]) assert.equal(of(pid, one), of(first.pid, one), one)
      assert.notEqual(of(pid, 'uts'), of(first.pid, 'uts'))
      const script = 'test $(id -u) = 0 && touch /made && stat -c %u /made /bin/busybox /sys'
      assert.equal(await exec(id, ['sh', '-c', script]), 0)
      await removeContainer(t.engine, id, { force: true, volumes: true })
    }
    // The /dev/shm that they share.
    const say = 'echo word >/dev/shm/said && stat -c %u /dev/shm/said'
    assert.equal(await output(say, { IpcMode: mode }), '0\n')
    assert.equal(await exec(first.id, ['grep', 'word', '/dev/shm/said']), 0)
    // The host's root may enter anything.
    assert.equal(await output('id -u', { UsernsMode: 'host', NetworkMode: mode }), '0\n')
    const other = await running({ UsernsMode: 'auto' })
    for (const [hostConfig, error] of [
      [{ NetworkMode: mode, PidMode: `container:${other.id}` }, /different user namespaces/],
      [{ NetworkMode: mode, UsernsMode: 'auto' }, /leave out --userns for that of the other/],
      [{ NetworkMode: mode, Privileged: true }, /privileged mode is incompatible/],
    ] as const) {
      await assert.rejects(t.create(['true'], { hostConfig }), error)
    }
  })

  test('a container that takes the name of a shared one does not take its place', async () => {
    const first = await running({ UsernsMode: 'auto' })
    await renameContainer(t.engine, first.id, 'owner')
    const guest = await t.create(['sleep', '1000'], {
      hostConfig: { NetworkMode: 'container:owner' },
    })
    await renameContainer(t.engine, first.id, 'former')
    const second = await running({ UsernsMode: 'auto' })
    await renameContainer(t.engine, second.id, 'owner')
    await startContainer(t.engine, guest)
    const { state } = getContainer(t.engine, guest)
    const joined = userNamespaceOf('pid' in state ? state.pid : 0)
    assert.equal(joined, userNamespaceOf(first.pid))
    assert.notEqual(joined, userNamespaceOf(second.pid))
  })

  test('volumes have the ids of the inside, for all containers', async () => {
    const Binds = ['ids:/v']
    await output('touch /v/f; chown 7:8 /v/f', { UsernsMode: 'auto', Binds })
    assert.equal(await output('stat -c %u:%g /v /v/f', { Binds }), '0:0\n7:8\n')
    assert.equal(await output('stat -c %u:%g /v /v/f', { UsernsMode: 'auto', Binds }), '0:0\n7:8\n')
  })

  test('binds have the ids of the host, unless idmap or an owner is asked for', async () => {
    const directory = join(host, 'bind')
    mkdirSync(directory)
    chownSync(directory, 1000, 1000)
    const stat = (mode: string, UsernsMode: string): Promise<string> =>
      output('stat -c %u:%g /b; touch /b/x && stat -c %u:%g /b/x', {
        UsernsMode,
        Binds: [`${directory}:/b${mode}`],
      }).catch(() => 'failed')
    assert.equal(await stat('', 'auto'), 'failed')
    assert.equal(await stat(':idmap,uid=0,gid=0', 'auto'), '0:0\n0:0\n')
    assert.equal(statSync(join(directory, 'x')).uid, 1000)
    rmSync(join(directory, 'x'))
    assert.equal(await stat(':uid=33,gid=33', ''), '33:33\n0:0\n')
    chownSync(directory, 0, 0)
    assert.equal(await stat(':idmap', 'auto'), '0:0\n0:0\n')
  })

  test('cp, export, changes and commit show the ids of the inside', async () => {
    const { id } = await running({ UsernsMode: 'auto' })
    const made = await exec(id, ['sh', '-c', 'mkdir /d; echo x >/d/f; chown 7:8 /d/f'])
    assert.equal(made, 0)
    const { stream } = await readArchive(t.engine, id, '/d/f')
    const list = ['tar', '-t', '-v', '--numeric-owner', '-f', '-'] as const
    const listed = (input: Buffer): string =>
      execFileSync(list[0], list.slice(1), { input }).toString()
    assert.match(listed(await buffer(stream)), /^-\S+ 7\/8 /)
    const archive = await buffer(await exportContainer(t.engine, id))
    assert.match(listed(archive), /^-\S+ 7\/8 .* d\/f$/m)
    assert.match(listed(archive), /^\S+ 0\/0 .* bin\/busybox$/m)
    assert.doesNotMatch(listed(archive), /^\S+ \S+ .* proc\/1\/?$/m)
    const changes = await containerChanges(t.engine, id)
    assert.ok(changes.some(({ path }) => path === '/d/f'))
    const image = await commitContainer(t.engine, {
      container: id,
      reference: 'committed',
      author: '',
      comment: '',
      changes: [],
      pause: true,
    })
    assert.match(image, /^sha256:/)
    const stat = 'stat -c %u:%g /d/f /d'
    assert.equal(await output(stat, {}, { Image: 'committed' }), '7:8\n0:0\n')
    assert.equal(await output(stat, { UsernsMode: 'auto' }, { Image: 'committed' }), '7:8\n0:0\n')
  })

  test('a limit acts, and an exec is inside', async () => {
    const { id } = await running({ UsernsMode: 'auto', PidsLimit: 5 })
    assert.equal(await exec(id, ['sh', '-c', 'test $(id -u) = 0']), 0)
    const bomb = 'for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait'
    assert.notEqual(await exec(id, ['sh', '-c', bomb]), 0)
  })

  test('the daemon wide setting is for all but --userns host', async () => {
    await using other = await TestEngine.open({ bridge: { kind: 'none' }, usernsRemap: 'default' })
    for (const [UsernsMode, pattern] of [
      ['', /^\s*0 +\d{6,} +65536\n$/],
      ['host', /^\s*0 +0 +4294967295\n$/],
    ] as const) {
      const id = await other.create(['sleep', '300'], { hostConfig: { UsernsMode } })
      await startContainer(other.engine, id)
      const { state } = getContainer(other.engine, id)
      assert.match(readFileSync(`/proc/${'pid' in state ? state.pid : 0}/uid_map`, 'utf8'), pattern)
      // One that shares its network has the same, with the setting or without.
      const guest = await other.create(['sleep', '300'], {
        hostConfig: { NetworkMode: `container:${id}` },
      })
      await startContainer(other.engine, guest)
      const guestState = getContainer(other.engine, guest).state
      const pid = 'pid' in guestState ? guestState.pid : 0
      assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), pattern)
    }
  })
})
