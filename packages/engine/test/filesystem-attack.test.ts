// Needs root. Containers that do not want to be copied from or to.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  containerChanges,
  createExec,
  exportContainer,
  extractArchive,
  readArchive,
  startContainer,
  startExec,
  statPath,
  stopContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { encodeHeader, paddingOf, TAR_END } from '@ctr/images'
import { membersOf, shell, tar, until } from './filesystem-support.ts'
import { TestEngine } from './support.ts'

const KEEP = { noOverwriteDirNonDir: false, copyUidGid: false }
const SECRET = 'the secret of the host'

describe('a hostile container', () => {
  let test: TestEngine
  /** A directory of the host with the same path in no container. */
  let host: string
  let id: string
  before(async () => {
    test = await TestEngine.open()
    host = mkdtempSync('/tmp/ctr-fs-attack-')
  })
  after(async () => {
    await test[Symbol.asyncDispose]()
    rmSync(host, { recursive: true })
  })
  beforeEach(async () => {
    rmSync(host, { recursive: true })
    mkdirSync(join(host, 'sub'), { recursive: true, mode: 0o700 })
    writeFileSync(join(host, 'secret'), SECRET, { mode: 0o600 })
    writeFileSync(join(host, 'sub', 'secret'), SECRET, { mode: 0o600 })
    id = await test.create(['sleep', '1000'])
    await startContainer(test.engine, id)
  })

  function assertHostUntouched(): void {
    assert.deepEqual(readdirSync(host).sort(), ['secret', 'sub'])
    assert.deepEqual(readdirSync(join(host, 'sub')), ['secret'])
    for (const directory of [host, join(host, 'sub')]) {
      const { mode, uid } = statSync(directory)
      assert.deepEqual([mode & 0o7777, uid], [0o700, 0])
    }
    for (const file of ['secret', 'sub/secret']) {
      assert.equal(readFileSync(join(host, file), 'utf8'), SECRET)
      const { mode, uid } = statSync(join(host, file))
      assert.deepEqual([mode & 0o7777, uid], [0o600, 0])
    }
  }

  async function read(path: string): Promise<string> {
    const { stream } = await readArchive(test.engine, id, path)
    return (await membersOf(stream)).map((member) => `${member.path}=${member.text}`).join('\n')
  }

  async function put(path: string, archive: Buffer): Promise<void> {
    await extractArchive(test.engine, id, path, Readable.from([archive]), KEEP)
  }

  /** Runs on and on in the container. */
  async function background(script: string): Promise<void> {
    const exec = await createExec(test.engine, id, { Cmd: ['sh', '-c', script] })
    await startExec(test.engine, exec, { detach: true, tty: false })
  }

  it('cannot lead out by symlinks, in either direction', async () => {
    await shell(
      test.engine,
      id,
      `ln -s ${host} /abs; ln -s ../../../../../../..${host} /rel; ln -s / /root-link; ln -s /loop /loop; mkdir /d; ln -s ${host} /d/in`,
    )
    for (const path of ['/abs/secret', '/rel/secret', `/root-link${host}/secret`, '/abs/']) {
      await assert.rejects(read(path), { code: 'NOT_FOUND' })
    }
    await assert.rejects(read('/loop/'), (error) => isEngineError(error))
    for (const path of ['/abs', '/rel', '/d/in']) {
      await assert.rejects(put(path, tar([{ path: 'x', type: 'file', text: 'x' }])), {
        code: 'NOT_FOUND',
      })
    }
    assert.equal((await statPath(test.engine, id, '/rel')).linkTarget, host)
    // What a member's parents lead to is resolved inside as well: the directory is missing there.
    const throughLink = tar([{ path: 'in/secret', type: 'file', text: 'overwritten' }])
    await assert.rejects(put('/d', throughLink), (error) => isEngineError(error))
    assert.equal((await read('/d')).includes(SECRET), false)
    assertHostUntouched()
  })

  it('cannot lead out by /proc', async () => {
    for (const path of [
      `/proc/1/root${host}/secret`,
      `/proc/self/root${host}/secret`,
      '/proc/1/cwd/',
      '/proc/self/fd/3',
      '/proc/thread-self/root/',
    ]) {
      await assert.rejects(read(path), (error) => isEngineError(error), path)
    }
    await shell(test.engine, id, 'ln -s /proc/1/root /r; ln -s /proc/self/root /s')
    for (const path of [`/r${host}/secret`, `/s${host}/secret`, '/r/', '/s/']) {
      await assert.rejects(read(path), (error) => isEngineError(error), path)
      await assert.rejects(put(path, tar([{ path: 'x', type: 'file', text: 'x' }])), (error) =>
        isEngineError(error),
      )
    }
    assertHostUntouched()
  })

  /** A container with a process that exchanges /d/a and /d/b, a directory and a symlink to the host's. */
  async function swapping(): Promise<void> {
    id = await test.create(['sleep', '1000'], {
      hostConfig: { Tmpfs: { '/d': '', '/bin2': 'exec' } },
    })
    await startContainer(test.engine, id)
    const program = compile('swap-attack.c', join(host, '..', `${basename(host)}.swap`))
    await extractArchive(
      test.engine,
      id,
      '/bin2',
      Readable.from([tarOfProgram('swap', program)]),
      KEEP,
    )
    await background(`exec /bin2/swap /d ${host}`)
    await until('first round', async () => (await shell(test.engine, id, 'ls /d')).includes('b'))
  }

  it('cannot lead out by exchanging directories for symlinks while it is read', async () => {
    await swapping()
    let seen = 0
    const readSafely = async (path: string): Promise<void> => {
      try {
        assert.equal((await read(path)).includes(SECRET), false)
        seen += 1
      } catch (error) {
        if (!isEngineError(error)) throw error
      }
    }
    const began = Date.now()
    // A busy machine takes longer for as many attempts.
    while (Date.now() - began < 6000 || (seen <= 10 && Date.now() - began < 60_000)) {
      for (const path of ['/d/a/', '/d/a/sub', '/d/a/secret', '/d/a/sub/secret']) {
        await Promise.all(['/d', '/d', path].map(readSafely))
      }
    }
    assert.ok(seen > 10, `${seen} reads succeeded`)
    assertHostUntouched()
  })

  it('cannot lead out by exchanging directories for symlinks while it is written to', async () => {
    await swapping()
    const writing = tar(
      Array.from({ length: 100 }, () => [
        { path: 'a', type: 'directory' as const, mode: 0o777, uid: 1, gid: 1 },
        { path: 'a/sub', type: 'directory' as const, mode: 0o777, uid: 1, gid: 1 },
        { path: 'a/secret', type: 'file' as const, mode: 0o666, uid: 1, text: 'overwritten' },
        { path: 'a/sub/secret', type: 'file' as const, mode: 0o666, uid: 1, text: 'overwritten' },
        { path: 'a/more', type: 'hardlink' as const, linkTarget: 'a/secret' },
      ]).flat(),
    )
    // The last name is exchanged while it is removed, and after it was made.
    const replacing = tar(
      Array.from({ length: 100 }, () => [
        { path: 'a', type: 'fifo' as const, mode: 0o777, uid: 1 },
        { path: 'a', type: 'file' as const, mode: 0o777, uid: 1, text: 'replaces a tree' },
        { path: 'a', type: 'symlink' as const, linkTarget: 'b', uid: 1 },
      ]).flat(),
    )
    let rounds = 0
    const began = Date.now()
    while (Date.now() - began < 8000 || (rounds <= 50 && Date.now() - began < 60_000)) {
      for (const archive of [writing, replacing]) {
        try {
          await put('/d', archive)
        } catch (error) {
          if (!isEngineError(error)) throw error
        }
        rounds += 1
      }
      assertHostUntouched()
    }
    assert.ok(rounds > 50, `${rounds} rounds`)
  })

  it('cannot make us wait at a FIFO, a socket, a device or a terminal', async () => {
    await shell(
      test.engine,
      id,
      'mkdir /w; mkfifo /w/fifo; mknod /w/tty c 5 0; mknod /w/zero c 1 5; echo x > /w/file; mkdir /t; mkfifo /t/a',
    )
    assert.match(await read('/w'), /fifo=\nw\/file=x/)
    assert.equal(await read('/w/fifo'), 'fifo=')
    assert.equal(await read('/w/zero'), 'zero=')
    await assert.rejects(put('/w/fifo', tar([])), { code: 'INVALID_ARGUMENT' })
    await put('/t', tar([{ path: 'a', type: 'file', text: 'instead of a FIFO' }]))
    assert.equal(await read('/t/a'), 'a=instead of a FIFO')
  })

  it('cannot make us wait by exchanging files for FIFOs, or break an archive by their length', async () => {
    await shell(test.engine, id, 'mkdir /w; echo x > /w/f')
    await background(
      'cd /w; while :; do rm f; mkfifo f; rm f; echo 1234567890 > f; : > f; head -c 100000 /dev/zero > f; : > f; rm f; done',
    )
    for (let round = 0; round < 100; round++) {
      try {
        const { stream } = await readArchive(test.engine, id, round % 2 === 0 ? '/w' : '/w/f')
        await membersOf(stream) // throws where it is broken
      } catch (error) {
        if (!isEngineError(error)) throw error
      }
    }
  })

  it('cannot fill our memory with a file of terabytes', async () => {
    await shell(test.engine, id, 'truncate -s 1000G /huge')
    const before = process.memoryUsage().rss
    const { stream, stat } = await readArchive(test.engine, id, '/huge')
    assert.equal(stat.size, 1000 * 2 ** 30)
    let bytes = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > 500_000_000) break
    }
    assert.ok(process.memoryUsage().rss - before < 200_000_000)
    // A client that reads nothing.
    const stalled = await readArchive(test.engine, id, '/huge')
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.ok(process.memoryUsage().rss - before < 200_000_000)
    stalled.stream.destroy()
  })

  it('cannot break us with a tree that is too deep', async () => {
    await shell(
      test.engine,
      id,
      'mkdir /deep; cd /deep; i=0; while [ $i -lt 3000 ]; do mkdir d && cd d || break; i=$((i+1)); done',
    )
    await assert.rejects(read('/deep'), (error) => isEngineError(error))
    await assert.rejects(containerChanges(test.engine, id), (error) => isEngineError(error))
    await assert.rejects(put('/', tar([{ path: 'deep', type: 'file', text: 'x' }])), (error) =>
      isEngineError(error),
    )
    assert.equal(await read('/etc/hostname').then((text) => text.startsWith('hostname=')), true)
    await stopContainer(test.engine, id, { timeoutSeconds: 0 })
    // The test's own rm -r cannot remove it either.
    const { upperDir } = test.engine.containers.get(id)
    spawnSync('rm', ['-rf', join(upperDir, 'deep')])
  })

  it('cannot put an image or a mount in our way', async () => {
    await stopContainer(test.engine, id, { timeoutSeconds: 0 })
    await put(
      '/',
      tar([
        { path: 'evil', type: 'symlink', linkTarget: host },
        { path: 'etc/hosts', type: 'symlink', linkTarget: `${host}/secret` },
      ]),
    ).catch((error: unknown) => assert.ok(isEngineError(error)))
    const other = await test.create(['sleep', '1000'], {
      hostConfig: { Binds: ['attack-volume:/evil/vol'] },
    })
    await extractArchive(
      test.engine,
      other,
      '/',
      Readable.from([tar([{ path: 'x', type: 'file', text: 'x' }])]),
      KEEP,
    )
    assertHostUntouched()
  })

  it('shows nothing of the host in an export', async () => {
    await shell(test.engine, id, `ln -s ${host} /out; mkdir /m; mkfifo /fifo`)
    const members = await membersOf(await exportContainer(test.engine, id))
    assert.ok(members.length > 100)
    assert.equal(
      members.some((member) => member.text.includes(SECRET)),
      false,
    )
    assert.equal(members.find((member) => member.path === 'out')?.type, 'symlink')
    assert.equal(existsSync(join(host, 'x')), false)
    assert.equal(lstatSync(host).isDirectory(), true)
  })
})

function compile(source: string, output: string): Buffer {
  const path = join(import.meta.dirname, source)
  const { status, stderr } = spawnSync('cc', ['-static', '-O2', '-o', output, path])
  assert.equal(status, 0, String(stderr))
  const program = readFileSync(output)
  rmSync(output)
  return program
}

function tarOfProgram(path: string, data: Buffer): Buffer {
  const header = encodeHeader({ path, type: 'file', mode: 0o755, size: data.length })
  return Buffer.concat([header, data, Buffer.alloc(paddingOf(data.length)), TAR_END])
}
