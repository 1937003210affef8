// Needs root.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  containerChanges,
  exportContainer,
  extractArchive,
  killContainer,
  readArchive,
  removeContainer,
  startContainer,
  statPath,
  stopContainer,
} from '@ctr/engine'
import { membersOf, shell, tar, until } from './filesystem-support.ts'
import { TestEngine } from './support.ts'

const KEEP = { noOverwriteDirNonDir: false, copyUidGid: false }

describe("a container's filesystem", () => {
  let test: TestEngine
  before(async () => {
    test = await TestEngine.open()
  })
  after(async () => {
    await test[Symbol.asyncDispose]()
  })

  async function running(o: { config?: object; hostConfig?: object } = {}): Promise<string> {
    const id = await test.create(['sleep', '1000'], o)
    await startContainer(test.engine, id)
    return id
  }

  async function put(id: string, path: string, archive: Buffer, options = KEEP): Promise<void> {
    await extractArchive(test.engine, id, path, Readable.from([archive]), options)
  }

  async function namesOf(id: string, path: string): Promise<string[]> {
    const { stream } = await readArchive(test.engine, id, path)
    return (await membersOf(stream)).map((member) => member.path)
  }

  async function textOf(id: string, path: string): Promise<string> {
    const { stream } = await readArchive(test.engine, id, path)
    return (await membersOf(stream))[0]?.text ?? ''
  }

  describe('stat', () => {
    it("has Go's mode bits, and where a symlink leads inside the root", async () => {
      const id = await running()
      await shell(test.engine, id, 'mkdir /a; chmod 1750 /a; ln -s ../../a/x /l; mkfifo /p')
      const directory = await statPath(test.engine, id, '/a')
      assert.equal(directory.name, 'a')
      assert.equal(directory.mode, 2 ** 31 + 2 ** 20 + 0o750)
      const link = await statPath(test.engine, id, '/l')
      assert.deepEqual([link.mode, link.linkTarget], [2 ** 27 + 0o777, '/a/x'])
      assert.equal((await statPath(test.engine, id, '/p')).mode, 2 ** 25 + 0o644)
      assert.equal((await statPath(test.engine, id, '/a/.')).name, '.')
    })

    it("names what is missing in Docker's words", async () => {
      const id = await test.create(['true'], { name: 'missing' })
      await assert.rejects(statPath(test.engine, 'missing', '/no/thing'), {
        code: 'NOT_FOUND',
        message: 'Could not find the file /no/thing in container missing',
      })
      await assert.rejects(statPath(test.engine, id, '/etc/passwd/'), { code: 'INVALID_ARGUMENT' })
      await assert.rejects(statPath(test.engine, id, '/a\0b'), { code: 'INVALID_ARGUMENT' })
    })
  })

  describe('round trip', () => {
    const archive = tar([
      { path: 'top', type: 'directory', mode: 0o2755, uid: 7, gid: 8, mtimeSeconds: 1000 },
      {
        path: 'top/file',
        type: 'file',
        mode: 0o4711,
        uid: 5,
        gid: 6,
        mtimeSeconds: 1,
        mtimeNanoseconds: 5,
        text: 'hello',
        xattrs: new Map([['user.note', Buffer.from([0, 255])]]),
      },
      { path: 'top/hard', type: 'hardlink', linkTarget: 'top/file' },
      { path: 'top/link', type: 'symlink', linkTarget: '../../../etc/passwd', uid: 9, gid: 9 },
      { path: 'top/fifo', type: 'fifo', mode: 0o600 },
      { path: 'top/null', type: 'character', mode: 0o666, major: 1, minor: 3 },
      { path: 'top/\xff\xfe', type: 'file', text: 'not UTF-8' },
      { path: `top/${'long'.repeat(60)}`, type: 'file', text: 'x' },
    ])
    for (const isRunning of [true, false]) {
      it(`keeps everything, ${isRunning ? 'running' : 'stopped'}`, async () => {
        const id = isRunning ? await running() : await test.create(['sleep', '1000'])
        await put(id, '/opt', archive).catch(async () => {
          await put(id, '/', tar([{ path: 'opt', type: 'directory', mode: 0o755 }]))
          await put(id, '/opt', archive)
        })
        const { stream } = await readArchive(test.engine, id, '/opt/top')
        const members = new Map((await membersOf(stream)).map((member) => [member.path, member]))
        assert.equal(members.size, 8)
        const top = members.get('top/')
        assert.deepEqual([top?.mode, top?.uid, top?.gid, top?.mtimeSeconds], [0o2755, 7, 8, 1000])
        const file = members.get('top/file')
        assert.deepEqual([file?.mode, file?.uid, file?.gid], [0o4711, 5, 6])
        assert.deepEqual([file?.mtimeSeconds, file?.mtimeNanoseconds, file?.text], [1, 5, 'hello'])
        assert.deepEqual(file?.xattrs?.get('user.note'), Buffer.from([0, 255]))
        assert.deepEqual(
          [members.get('top/hard')?.type, members.get('top/hard')?.linkTarget],
          ['hardlink', 'top/file'],
        )
        assert.equal(members.get('top/link')?.linkTarget, '../../../etc/passwd')
        assert.equal(members.get('top/fifo')?.type, 'fifo')
        const device = members.get('top/null')
        assert.deepEqual([device?.type, device?.major, device?.minor], ['character', 1, 3])
        assert.equal(members.get('top/\xff\xfe')?.text, 'not UTF-8')
      })
    }

    it('takes a compressed archive in small pieces', async () => {
      const id = await running()
      const bytes = gzipSync(archive)
      const pieces = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1))
      await extractArchive(test.engine, id, '/', Readable.from(pieces), KEEP)
      assert.equal(await textOf(id, '/top/file'), 'hello')
    })

    it('gives everything to the user of the container on request', async () => {
      const id = await running({ config: { User: '1234:55' } })
      await put(id, '/tmp', archive, { ...KEEP, copyUidGid: true })
      assert.equal(
        await shell(test.engine, id, 'stat -c %u:%g /tmp/top /tmp/top/file /tmp/top/link'),
        '1234:55\n1234:55\n1234:55\n',
      )
    })
  })

  describe('extraction', () => {
    it('replaces directories and files by each other unless told not to', async () => {
      const id = await running()
      await shell(test.engine, id, 'mkdir -p /d/x/y; echo old > /d/f')
      const swap = tar([
        { path: 'x', type: 'file', text: 'now a file' },
        { path: 'f', type: 'directory', mode: 0o755 },
      ])
      await assert.rejects(put(id, '/d', swap, { ...KEEP, noOverwriteDirNonDir: true }), {
        message: 'cannot overwrite directory "/d/x" with non-directory "/d"',
      })
      await put(id, '/d', swap)
      assert.equal(
        await shell(test.engine, id, 'cat /d/x; stat -c %F /d/f'),
        'now a filedirectory\n',
      )
    })

    it('refuses members that lead out of the directory', async () => {
      const id = await running()
      for (const path of ['../x', 'a/../../x', '/../x']) {
        await assert.rejects(put(id, '/tmp', tar([{ path, type: 'file', text: 'x' }])), {
          code: 'INVALID_ARGUMENT',
        })
      }
      const link = tar([{ path: 'x', type: 'hardlink', linkTarget: '../etc/passwd' }])
      await assert.rejects(put(id, '/tmp', link), { code: 'INVALID_ARGUMENT' })
    })

    it('refuses members that no filesystem could have, and says which and why', async () => {
      const id = await running()
      const circle = [
        { path: 'a', type: 'symlink', linkTarget: 'b' },
        { path: 'b', type: 'symlink', linkTarget: 'a' },
      ] as const
      const long = 'n'.repeat(300)
      const cases: readonly [Parameters<typeof tar>[0], RegExp][] = [
        [[...circle, { path: 'a/x', type: 'file', text: 'x' }], /^\/tmp\/a\/x: too many levels of/],
        [[{ path: long, type: 'file', text: 'x' }], /^\/tmp\/n+: file name too long$/],
        [[{ path: long, type: 'directory' }], /^\/tmp\/n+: file name too long$/],
        [[{ path: `${long}/x`, type: 'file', text: 'x' }], /: file name too long$/],
        [[{ path: 'd/'.repeat(2100), type: 'directory' }], /: file name too long$/],
        [[{ path: 's', type: 'symlink', linkTarget: 'l'.repeat(5000) }], /: file name too long$/],
        [[{ path: 'h', type: 'hardlink', linkTarget: 'none' }], /^\/tmp\/h: no such file or/],
        [
          [
            { path: 'f', type: 'file', text: 'x' },
            { path: 'f/x', type: 'file', text: 'x' },
          ],
          /^\/tmp\/f\/x: not a directory$/,
        ],
      ]
      for (const [members, message] of cases) {
        await assert.rejects(put(id, '/tmp', tar(members)), { code: 'INVALID_ARGUMENT', message })
      }
    })

    it('keeps what came before the broken part of an archive, and reports it', async () => {
      const id = await running()
      const whole = tar([
        { path: 'first', type: 'file', text: '1' },
        { path: 'second', type: 'file', text: '2'.repeat(5000) },
      ])
      await assert.rejects(put(id, '/tmp', whole.subarray(0, 2000)), {
        code: 'INVALID_ARGUMENT',
        message: 'unexpected EOF',
      })
      await assert.rejects(put(id, '/tmp', Buffer.alloc(4096, 'garbage')), {
        code: 'INVALID_ARGUMENT',
      })
      assert.equal(await textOf(id, '/tmp/first'), '1')
    })

    it('ends when the upload breaks off', async () => {
      const id = await running()
      const broken = new Readable({ read: () => undefined }).on('error', () => undefined)
      broken.push(tar([{ path: 'part', type: 'file', text: 'x' }]).subarray(0, 700))
      const done = extractArchive(test.engine, id, '/tmp', broken, KEEP)
      broken.destroy(new Error('gone'))
      await assert.rejects(done, { message: 'gone' })
      assert.equal(await textOf(id, '/etc/hostname').then((text) => text.length > 0), true)
    })

    it('refuses read-only filesystems', async () => {
      const file = tar([{ path: 'x', type: 'file', text: 'x' }])
      const Binds = ['ro-volume:/ro:ro', 'rw-volume:/rw']
      for (const start of [true, false]) {
        const id = await test.create(['sleep', '1000'], {
          hostConfig: { ReadonlyRootfs: true, Binds },
        })
        if (start) await startContainer(test.engine, id)
        await assert.rejects(put(id, '/tmp', file), {
          code: 'FORBIDDEN',
          message: 'container rootfs is marked read-only',
        })
        await assert.rejects(put(id, '/ro', file), {
          code: 'FORBIDDEN',
          message: 'mounted volume is marked read-only',
        })
        await put(id, '/rw', file)
      }
    })

    it('refuses what is no directory', async () => {
      const id = await test.create(['true'])
      await assert.rejects(put(id, '/etc/passwd', tar([])), {
        code: 'INVALID_ARGUMENT',
        message: 'extraction point is not a directory',
      })
    })
  })

  describe('mounts', () => {
    it('shows volumes, also of a stopped container, and the tmpfs of a running one', async () => {
      const id = await running({ hostConfig: { Binds: ['data:/data'], Tmpfs: { '/fast': '' } } })
      await shell(test.engine, id, 'echo v > /data/f; echo t > /fast/f')
      assert.equal(await textOf(id, '/data/f'), 'v\n')
      assert.equal(await textOf(id, '/fast/f'), 't\n')
      await stopContainer(test.engine, id, { timeoutSeconds: 0 })
      assert.equal(await textOf(id, '/data/f'), 'v\n')
      assert.deepEqual(await namesOf(id, '/fast/.'), ['./'])
    })

    it('exports the root filesystem without them', async () => {
      const id = await running({ hostConfig: { Binds: ['data2:/data'], Tmpfs: { '/fast': '' } } })
      await shell(test.engine, id, 'echo v > /data/f; echo t > /fast/f; echo r > /r')
      for (const stop of [false, true]) {
        if (stop) await stopContainer(test.engine, id, { timeoutSeconds: 0 })
        const members = await membersOf(await exportContainer(test.engine, id))
        const names = members.map((member) => member.path)
        for (const name of ['r', 'bin/', 'data/', 'fast/', 'proc/', 'etc/hosts', 'dev/'])
          assert.ok(names.includes(name), name)
        const inside = names.filter((name) => /^(?:data|fast|proc|sys|dev)\/./.test(name))
        assert.deepEqual(inside, [])
        assert.equal(members.find((member) => member.path === 'etc/hosts')?.text, '')
      }
    })
  })

  describe('changes', () => {
    async function changes(id: string): Promise<string[]> {
      return (await containerChanges(test.engine, id)).map(({ kind, path }) => `${kind} ${path}`)
    }

    it('are none after a start', async () => {
      const id = await running()
      assert.deepEqual(await changes(id), [])
    })

    it('name what was added, changed and deleted', async () => {
      const id = await running()
      const script =
        'rm /bin/ls; echo x >>/etc/passwd; mkdir -p /n/m; chmod 711 /root; mkdir /tmp/t; rmdir /tmp/t; ' +
        'mv /home /home2 2>/dev/null; touch /etc/group'
      await shell(test.engine, id, script)
      const found = await changes(id)
      for (const line of [
        'modified /bin',
        'deleted /bin/ls',
        'modified /etc',
        'modified /etc/passwd',
        'added /n',
        'added /n/m',
        'modified /root',
      ])
        assert.ok(found.includes(line), `${line} in ${found.join(', ')}`)
      assert.equal(found.includes('modified /tmp'), false)
      assert.deepEqual(found, [...found].sort(byPath))
    })

    it('of a directory that was made anew are its own', async () => {
      const id = await running()
      await shell(test.engine, id, 'rm -rf /etc/skel; mkdir -p /etc/skel; rm -rf /bin; mkdir /bin')
      const found = await changes(id)
      assert.ok(found.includes('modified /bin'))
      assert.ok(found.includes('deleted /bin/sh'))
    })
  })

  describe('concurrency', () => {
    it('lets a stopped container start when its last reader has gone', async () => {
      const id = await test.create(['sleep', '1000'])
      const first = await readArchive(test.engine, id, '/bin')
      const second = await readArchive(test.engine, id, '/bin')
      const started = startContainer(test.engine, id)
      let isStarted = false
      void started.then(() => {
        isStarted = true
      })
      assert.ok((await membersOf(first.stream)).length > 10)
      // A third that comes while the start waits shares the mount, too.
      assert.equal((await statPath(test.engine, id, '/bin')).name, 'bin')
      assert.equal(isStarted, false)
      second.stream.destroy()
      await started
      assert.equal(test.status(id), 'running')
    })

    it('copies within one stopped container', async () => {
      const id = await test.create(['sleep', '1000'])
      await put(id, '/', tar([{ path: 'a', type: 'file', text: 'x'.repeat(5_000_000) }]))
      const { stream } = await readArchive(test.engine, id, '/a')
      await extractArchive(test.engine, id, '/tmp', stream, KEEP)
      assert.equal((await statPath(test.engine, id, '/tmp/a')).size, 5_000_000)
    })

    it('reads on when the container is killed and removed meanwhile', async () => {
      const id = await running()
      await shell(test.engine, id, 'dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null')
      const { stream } = await readArchive(test.engine, id, '/big')
      await killContainer(test.engine, id, 'SIGKILL')
      await until('exit', () => test.status(id) === 'exited')
      await removeContainer(test.engine, id, { force: true, volumes: true })
      const [big] = await membersOf(stream)
      assert.equal(big?.size, 40 * 1024 * 1024)
    })

    it('leaves no descriptors and no processes behind', async () => {
      const id = await running()
      await namesOf(id, '/etc')
      const fds = readdirSync('/proc/self/fd').length
      for (let round = 0; round < 10; round++) {
        await namesOf(id, '/etc')
        await put(id, '/tmp', tar([{ path: 'a/b/c', type: 'file', text: 'x' }]))
        await assert.rejects(namesOf(id, '/nothing'))
        const { stream } = await readArchive(test.engine, id, '/bin')
        stream.destroy()
        await containerChanges(test.engine, id)
      }
      await until('descriptors', () => readdirSync('/proc/self/fd').length <= fds)
    })
  })
})

function byPath(a: string, b: string): number {
  const [x = '', y = ''] = [a.split(' ')[1], b.split(' ')[1]]
  return x < y ? -1 : x > y ? 1 : 0
}
