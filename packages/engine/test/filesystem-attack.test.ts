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
import { join } from 'node:path'
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
import { membersOf, shell, tar } from './filesystem-support.ts'
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
    mkdirSync(join(host, 'sub'), { recursive: true })
    writeFileSync(join(host, 'secret'), SECRET, { mode: 0o600 })
    writeFileSync(join(host, 'sub', 'secret'), SECRET, { mode: 0o600 })
    id = await test.create(['sleep', '1000'])
    await startContainer(test.engine, id)
  })

  function assertHostUntouched(): void {
    assert.deepEqual(readdirSync(host).sort(), ['secret', 'sub'])
    assert.deepEqual(readdirSync(join(host, 'sub')), ['secret'])
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

  it('cannot lead out by exchanging directories for symlinks while it is read', async () => {
    await shell(
      test.engine,
      id,
      'mkdir -p /d/a/sub; echo mine > /d/a/secret; echo mine > /d/a/sub/secret',
    )
    await background(
      `cd /d; while :; do mv a b; ln -s ${host} a; rm a; mv b a; ln -s ${host} b; rm b; done`,
    )
    let seen = 0
    const deadline = Date.now() + 5000
    while (Date.now() < deadline) {
      for (const path of ['/d', '/d/a/', '/d/a/sub', '/d/a/secret', '/d/a/sub/secret']) {
        try {
          const text = await read(path)
          assert.equal(text.includes(SECRET), false)
          seen += 1
        } catch (error) {
          if (!isEngineError(error)) throw error
        }
      }
    }
    assert.ok(seen > 10, `${seen} reads succeeded`)
    assertHostUntouched()
  })

  it('cannot lead out by exchanging directories for symlinks while it is written to', async () => {
    await shell(test.engine, id, 'mkdir -p /d/a/sub')
    await background(
      `cd /d; while :; do mv a b 2>/dev/null; ln -s ${host} a; rm -f a; mv b a 2>/dev/null; mkdir -p a/sub/x; ln -s ${host} a/sub/l; rm -rf a/sub; ln -s ${host}/sub a/sub; rm -f a/sub; done`,
    )
    const archive = tar([
      { path: 'a', type: 'directory', mode: 0o777, uid: 1, gid: 1 },
      { path: 'a/sub', type: 'directory', mode: 0o777, uid: 1, gid: 1 },
      ...Array.from({ length: 50 }, (_, at) => ({
        path: `a/sub/secret${at % 5 === 0 ? '' : at}`,
        type: 'file' as const,
        mode: 0o666,
        uid: 1,
        text: 'overwritten',
      })),
      { path: 'a/sub', type: 'file', mode: 0o777, uid: 1, text: 'no directory any more' },
      { path: 'a/sub', type: 'fifo', mode: 0o777, uid: 1 },
      { path: 'a/sub', type: 'symlink', linkTarget: host, uid: 1 },
      { path: 'a/sub', type: 'character', mode: 0o777, uid: 1, major: 1, minor: 3 },
      { path: 'a', type: 'file', text: 'replaces a tree' },
    ])
    let done = 0
    let failed = 0
    const deadline = Date.now() + 6000
    while (Date.now() < deadline) {
      for (const path of ['/d', '/d/a']) {
        try {
          await put(path, archive)
          done += 1
        } catch (error) {
          if (!isEngineError(error)) throw error
          failed += 1
        }
      }
      assertHostUntouched()
    }
    assert.ok(done + failed > 20, `${done} done, ${failed} failed`)
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
