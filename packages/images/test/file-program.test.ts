import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lgetxattr, llistxattr, lsetxattr, mknod } from '@ctr/linux'
import { toPathBytes } from '../src/tar/format.ts'
import { TarParser } from '../src/tar/parser.ts'
import { FileProgram, OP } from '../src/unpack/file-program.ts'
import { Unpacker } from '../src/unpack/unpacker.ts'
import { tarOf } from './fixture.ts'
import { BINARY, Folder, makeProgram, NATIVE } from './native-program.ts'

/** `isSent`: the data goes through the pipe, as that of a compressed archive, not from the file. */
async function unpack(
  archive: string,
  target: string,
  o: { isSent: boolean; pieceBytes: number },
): Promise<void> {
  const unpacker = new Unpacker(new FileProgram(target, archive, BINARY), { whiteouts: 'overlay' })
  const parser = new TarParser(unpacker)
  const data = readFileSync(archive)
  try {
    for (let at = 0; at < data.length; at += o.pieceBytes) {
      const piece = data.subarray(at, at + o.pieceBytes)
      if (!o.isSent) unpacker.at(piece, at)
      parser.write(piece)
    }
    parser.finish()
    await unpacker.finish()
  } finally {
    await unpacker.abort()
  }
}

/** Everything that can be seen of a tree, by path (latin1). */
function describeTree(root: string, path = ''): Record<string, unknown> {
  const full = toPathBytes(join(root, path))
  const stats = lstatSync(full, { bigint: true })
  const { mode, uid, gid, mtimeNs, nlink, rdev } = stats
  const xattrs = llistxattr(full).map((name) => [name, lgetxattr(full, name)?.toString('hex')])
  const content = stats.isFile()
    ? readFileSync(full).toString('base64')
    : stats.isSymbolicLink()
      ? readlinkSync(full)
      : undefined
  const own = { mode, uid, gid, mtimeNs, rdev, xattrs, content, links: stats.isFile() && nlink }
  const names = stats.isDirectory() ? readdirSync(full, { encoding: 'latin1' }).sort() : []
  return Object.assign(
    { [path]: own },
    ...names.map((name) => describeTree(root, join(path, name))),
  )
}

function makeTree(root: string): void {
  mkdirSync(join(root, 'dir/inner'), { recursive: true })
  const sizes = [0, 1, 511, 512, 513, 6000, 70_000, 1_500_000]
  for (const [index, size] of sizes.entries()) {
    const path = join(root, `dir/f${size}`)
    writeFileSync(path, Buffer.alloc(size, `${size} `), { mode: 0o600 })
    execFileSync('chmod', [['4755', '2711', '1666', '644', '000'][index % 5] ?? '', path])
  }
  chownSync(join(root, 'dir/f6000'), 1234, 4321)
  execFileSync('chmod', ['6755', join(root, 'dir/f6000')])
  linkSync(join(root, 'dir/f512'), join(root, 'dir/inner/link'))
  symlinkSync('../../nowhere', join(root, 'dir/symlink'))
  mknod(join(root, 'dir/fifo'), 0o010640, 0, 0)
  mknod(join(root, 'dir/null'), 0o020666, 1, 3)
  writeFileSync(join(root, 'sparse'), 'begin')
  truncateSync(join(root, 'sparse'), 3_000_000)
  const fd = openSync(join(root, 'sparse'), 'r+')
  writeSync(fd, 'middle', 1_000_000)
  closeSync(fd)
  execFileSync('truncate', ['-s', '500000', join(root, 'dir/hole')])
  writeFileSync(Buffer.from([...Buffer.from(`${root}/name-`), 0xff, 0xfe]), 'not UTF-8')
  lsetxattr(join(root, 'dir/f1'), 'user.text', Buffer.from('value'))
  lsetxattr(join(root, 'dir/f1'), 'trusted.bytes', Buffer.from([0, 255, 10, 61]))
  lsetxattr(join(root, 'dir'), 'user.of-directory', Buffer.from('x'))
  chownSync(join(root, 'dir'), 7, 8)
  lutimesSync(join(root, 'dir/symlink'), 1, 1_000_000_000.25)
  lutimesSync(join(root, 'dir'), -5, -5.5)
}

describe('files of a layer, made by ctr-files', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  before(makeProgram)

  for (const format of ['posix', 'gnu']) {
    for (const isSent of [false, true]) {
      it(`${format}, data ${isSent ? 'in the program' : 'from the archive'}: as tar makes them`, async () => {
        using folder = new Folder()
        for (const name of ['tree', 'tar', 'ours']) mkdirSync(folder.join(name))
        makeTree(folder.join('tree'))
        const archive = folder.join('archive')
        const flags = [
          `--format=${format}`,
          '-S',
          ...(format === 'posix' ? ['--xattrs', '--xattrs-include=*'] : []),
        ]
        execFileSync('tar', ['-C', folder.join('tree'), ...flags, '-cf', archive, '.'])
        const extract = ['-p', '--xattrs', '--xattrs-include=*', '--numeric-owner']
        execFileSync('tar', ['-C', folder.join('tar'), ...extract, '-xf', archive])
        await unpack(archive, folder.join('ours'), { isSent, pieceBytes: 100_003 })
        assert.deepEqual(describeTree(folder.join('ours')), describeTree(folder.join('tar')))
      })
    }
  }

  it('an error names the call and the path, and nothing is made after it', async () => {
    using folder = new Folder()
    mkdirSync(folder.join('target'))
    const archive = folder.join('archive')
    writeFileSync(
      archive,
      tarOf([
        { path: 'a', type: 'hardlink', linkTarget: 'missing' },
        { path: 'b', type: 'file', data: 'x' },
      ]),
    )
    await assert.rejects(
      unpack(archive, folder.join('target'), { isSent: false, pieceBytes: 1 << 20 }),
      {
        code: 'ENOENT',
        message: 'link /a: no such file or directory',
      },
    )
    assert.deepEqual(readdirSync(folder.join('target')), [])
  })

  it('a process that is killed is an error, not a layer', async () => {
    using folder = new Folder()
    mkdirSync(folder.join('target'))
    writeFileSync(folder.join('source'), '')
    const program = new FileProgram(folder.join('target'), folder.join('source'), BINARY)
    program.directory('d', false)
    await program.abort()
    await assert.rejects(program.finish())
  })

  it('it ends with the thread that says what to make, also where it stands still', async () => {
    using folder = new Folder()
    mkdirSync(folder.join('target'))
    writeFileSync(folder.join('source'), '')
    const module = fileURLToPath(new URL('../src/unpack/file-program.ts', import.meta.url))
    const script = `
      const { FileProgram } = await import(${JSON.stringify(module)})
      const [target, source, binary] = process.argv.slice(1)
      const program = new FileProgram(target, source, binary)
      program.whiteout('w')
      console.log('begun')
      setInterval(() => undefined, 1000)`
    const paths = [folder.join('target'), folder.join('source'), BINARY]
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script, ...paths])
    await once(parent.stdout, 'data')
    const found = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent.pid)], {
      encoding: 'utf8',
    })
    const pid = Number(found)
    process.kill(pid, 'SIGSTOP')
    const exited = once(parent, 'exit')
    parent.kill('SIGKILL')
    await exited
    try {
      const deadline = Date.now() + 120_000
      while (isThere(pid) && Date.now() < deadline) await delay(10)
      assert.ok(!isThere(pid), 'it is gone')
    } finally {
      if (isThere(pid)) process.kill(pid, 'SIGKILL')
    }
  })

  it('the codes are those of files.h', () => {
    const header = readFileSync(join(NATIVE, 'files.h'), 'utf8')
    const codes = Object.fromEntries(
      [...header.matchAll(/^ {2}OP_(\w+) = (\d+),/gm)].map(([, name = '', code]) => [
        name.toLowerCase(),
        Number(code),
      ]),
    )
    assert.deepEqual(codes, OP)
  })

  it('damaged programs end it with an error, and reach nothing outside of the directory', () => {
    using folder = new Folder()
    writeFileSync(folder.join('source'), Buffer.alloc(5000, 'source '))
    const program = exampleProgram()
    for (let seed = 1; seed <= 150; seed++) {
      const target = folder.join(`t${seed}`)
      mkdirSync(target)
      const rootFd = openSync(target, 'r')
      const sourceFd = openSync(folder.join('source'), 'r')
      const { status, signal, stderr } = spawnSync(BINARY, {
        input: damage(program, seed),
        stdio: ['pipe', 'pipe', 'pipe', rootFd, sourceFd],
        encoding: 'utf8',
      })
      closeSync(rootFd)
      closeSync(sourceFd)
      assert.equal(signal, null, stderr)
      assert.ok(status === 0 || status === 2 || status === 3, `seed ${seed}: ${status} ${stderr}`)
    }
    const left = readdirSync(folder.path).filter((name) => !/^t\d+$/.test(name))
    assert.deepEqual(left, ['source'])
  })
})

/** One operation of each kind. */
function exampleProgram(): Buffer {
  const text = (value: string): Buffer => Buffer.from(`${value}\0`)
  const op = (
    code: number,
    path: string,
    size = 0,
    argument = '',
    attributes = Buffer.alloc(0),
  ): Buffer => {
    const head = Buffer.alloc(64)
    const [name, rest] = [
      path === '' ? Buffer.alloc(0) : text(path),
      argument === '' ? Buffer.alloc(0) : text(argument),
    ]
    head[0] = code
    head[1] = code === OP.file && size > 100 ? 1 : 0
    head.writeUInt32LE(code === OP.node ? 0o10644 : 0o4755, 4)
    head.writeUInt32LE(1, 8)
    head.writeUInt32LE(name.length, 28)
    head.writeUInt32LE(rest.length, 32)
    head.writeUInt32LE(attributes.length, 36)
    head.writeUInt32LE(10, 40)
    head.writeUInt32LE(size, 48)
    return Buffer.concat([head, name, rest, attributes])
  }
  const attribute = Buffer.concat([
    Buffer.from([7, 0, 0, 0, 1, 0, 0, 0]),
    text('user.a'),
    Buffer.from('v'),
  ])
  return Buffer.concat([
    op(OP.directory, '/d'),
    op(OP.file, '/d/whole', 4000, '', attribute),
    op(OP.file, '/d/parts', 50, '', attribute),
    op(OP.write, '', 0, 'some data'),
    op(OP.copy, '', 20),
    op(OP.end, ''),
    op(OP.symlink, '/d/s', 0, 'target'),
    op(OP.link, '/l', 0, '/d/whole'),
    op(OP.node, '/n'),
    op(OP.whiteout, '/w'),
    op(OP.attributes, '/d', 0, '', attribute),
    op(OP.remove, '/d'),
    op(OP.finish, ''),
  ])
}

/** A few bytes changed, or the end cut off; the same for the same seed. */
function damage(program: Buffer, seed: number): Buffer {
  const copy = Buffer.from(program)
  let state = seed
  const next = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % limit
  }
  for (let count = next(4); count >= 0; count--) copy[next(copy.length)] = next(256)
  return seed % 3 === 0 ? copy.subarray(0, next(copy.length)) : copy
}

/** And not just waiting for init to take note of its end. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
