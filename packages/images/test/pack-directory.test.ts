import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { deviceNumbers, lgetxattr, llistxattr, lsetxattr, mknod } from '@ctr/linux'
import { packDirectory } from '../src/pack/pack-directory.ts'
import { toPathBytes } from '../src/tar/format.ts'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from '../src/tar/write.ts'
import { newProgress } from '../src/unpack/growing-file.ts'
import { BINARY, Folder, makeProgram } from './native-program.ts'

/** The archive of `root`. */
async function pack(folder: Folder, root: string, sameRootAs?: string): Promise<Buffer> {
  const output = folder.join('archive')
  writeFileSync(output, '')
  const progress = newProgress()
  const { size } = await packDirectory({ root, sameRootAs, output, progress }, BINARY)
  const archive = readFileSync(output)
  assert.equal(size, archive.length)
  return archive
}

const HIDDEN = /^(?:trusted\.overlay\.|security\.(?:selinux|ima|evm)$)/

/** What the archive of a tree at rest must be, by tar/write.ts. */
class Reference {
  readonly #root: string
  readonly #parts: Buffer[] = []
  readonly #links = new Map<bigint, string>()

  constructor(root: string) {
    this.#root = root
  }

  archive(): Buffer {
    this.#add({ ...this.#entry('./', 'directory', this.#stats('')), xattrs: this.#xattrs('') })
    this.#children('')
    return Buffer.concat([...this.#parts, TAR_END])
  }

  #children(path: string): void {
    const names = readdirSync(this.#at(path), { encoding: 'latin1' })
    for (const name of names.sort()) this.#node(path === '' ? name : `${path}/${name}`)
  }

  #node(path: string): void {
    const stats = this.#stats(path)
    const xattrs = this.#xattrs(path)
    if (stats.isDirectory()) {
      this.#add({ ...this.#entry(`${path}/`, 'directory', stats), xattrs })
      const isOpaque = lgetxattr(this.#at(path), 'trusted.overlay.opaque')?.toString() === 'y'
      if (isOpaque) this.#add({ path: `${path}/.wh..wh..opq`, type: 'file', mode: 0o600 })
      this.#children(path)
    } else if (stats.isFile()) {
      const first = stats.nlink > 1n ? this.#links.get(stats.ino) : undefined
      this.#links.set(stats.ino, first ?? path)
      if (first !== undefined) {
        this.#add({ ...this.#entry(path, 'hardlink', stats), linkTarget: first })
        return
      }
      const size = Number(stats.size)
      this.#add({ ...this.#entry(path, 'file', stats), xattrs, size })
      this.#parts.push(readFileSync(this.#at(path)), Buffer.alloc(paddingOf(size)))
    } else if (stats.isSymbolicLink()) {
      const linkTarget = readlinkSync(this.#at(path), { encoding: 'latin1' })
      this.#add({ ...this.#entry(path, 'symlink', stats), linkTarget, xattrs })
    } else if (stats.isCharacterDevice() && stats.rdev === 0n) {
      const { mtimeSeconds } = this.#entry(path, 'file', stats)
      const marked = path.replace(/[^/]*$/, (name) => `.wh.${name}`)
      this.#add({ path: marked, type: 'file', mode: 0o600, mtimeSeconds: mtimeSeconds ?? 0 })
    } else if (stats.isCharacterDevice() || stats.isBlockDevice()) {
      const type = stats.isBlockDevice() ? 'block' : 'character'
      const numbers = deviceNumbers(Number(stats.rdev))
      this.#add({ ...this.#entry(path, type, stats), ...numbers, xattrs })
    } else if (stats.isFIFO()) this.#add({ ...this.#entry(path, 'fifo', stats), xattrs })
  }

  #at(path: string): string | Buffer {
    return toPathBytes(`${this.#root}/${path}`)
  }

  #stats(path: string): BigIntStats {
    return lstatSync(this.#at(path), { bigint: true })
  }

  #add(entry: NewEntry): void {
    this.#parts.push(encodeHeader(entry))
  }

  #entry(path: string, type: NewEntry['type'], stats: BigIntStats): NewEntry {
    const nanoseconds = BigInt.asUintN(64, ((stats.mtimeNs % 10n ** 9n) + 10n ** 9n) % 10n ** 9n)
    return {
      path,
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeSeconds: Number((stats.mtimeNs - nanoseconds) / 10n ** 9n),
      mtimeNanoseconds: Number(nanoseconds),
    }
  }

  #xattrs(path: string): Map<string, Buffer> {
    const names = llistxattr(this.#at(path)).filter((name) => !HIDDEN.test(name))
    return new Map(names.map((name) => [name, lgetxattr(this.#at(path), name) ?? Buffer.alloc(0)]))
  }
}

function makeTree(root: string): void {
  const at = (name: string): string => join(root, name)
  mkdirSync(at('d/inner'), { recursive: true })
  mkdirSync(at('opaque'))
  for (const size of [0, 1, 511, 512, 513, 6000, 1 << 20, 2_500_000])
    writeFileSync(at(`d/f${size}`), Buffer.alloc(size, `${size} `))
  linkSync(at('d/f512'), at('d/inner/link'))
  linkSync(at('d/f512'), at('second'))
  linkSync(at('d/f0'), at('empty'))
  symlinkSync('../nowhere', at('s'))
  symlinkSync('x'.repeat(150), at('d/long'))
  symlinkSync('ü', at('d/umlaut'))
  mknod(at('d/fifo'), 0o010640, 0, 0)
  mknod(at('d/null'), 0o020666, 1, 3)
  mknod(at('d/disk'), 0o060600, 259, 70_000)
  mknod(at('removed'), 0o020000, 0, 0)
  mknod(at('d/inner/removed'), 0o020000, 0, 0)
  lsetxattr(at('opaque'), 'trusted.overlay.opaque', Buffer.from('y'))
  lsetxattr(at('d'), 'user.of-directory', Buffer.from('x'))
  lsetxattr(at('d/f1'), 'user.b', Buffer.from([0, 255, 10, 61]))
  lsetxattr(at('d/f1'), 'user.a', Buffer.alloc(0))
  lsetxattr(at('d/f1'), 'trusted.overlay.origin', Buffer.from('of this host'))
  lsetxattr(at('s'), 'trusted.of-symlink', Buffer.from('x'))
  lsetxattr(at('d/f6000'), 'user.large', Buffer.alloc(3000, 'z'))
  chownSync(at('d/f6000'), 3_000_000, 4_000_000_000)
  chmodSync(at('d/f6000'), 0o6755)
  lutimesSync(at('d/f0'), 1, -1.75)
  lutimesSync(at('d/f1'), 1, -0.25)
  lutimesSync(at('d/f511'), 1, -86_400)
  lutimesSync(at('d/f513'), 1, 13_000_000_000.5)
  truncateSync(at('d/f2500000'), 3_000_000)
  const bytes = (name: string): Buffer => Buffer.from(`${root}/${name}`, 'latin1')
  writeFileSync(bytes('name-\xff\xfe'), 'not UTF-8')
  mkdirSync(bytes(`dir-\xe4-${'n'.repeat(100)}`))
  for (const length of [99, 100, 101, 255]) mkdirSync(at('n'.repeat(length)))
}

describe('the archive of a directory, made by ctr-files', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  before(makeProgram)

  it('has the bytes that tar/write.ts gives, of nodes of every kind', async () => {
    using folder = new Folder()
    const root = folder.join('root')
    mkdirSync(root)
    makeTree(root)
    const server = createServer().listen(join(root, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      const archive = await pack(folder, root)
      assert.ok(archive.equals(new Reference(root).archive()))
    } finally {
      server.close()
    }
  })

  it('has the bytes that tar/write.ts gives, of random trees', async () => {
    using folder = new Folder()
    for (let seed = 1; seed <= 25; seed++) {
      const root = folder.join(`root${seed}`)
      mkdirSync(root)
      makeRandomTree(root, seed)
      const archive = await pack(folder, root)
      assert.ok(archive.equals(new Reference(root).archive()), `seed ${seed}`)
    }
  })

  it('GNU tar makes the same files of it', async () => {
    using folder = new Folder()
    for (const name of ['root/d', 'tar']) mkdirSync(folder.join(name), { recursive: true })
    writeFileSync(folder.join('root/d/file'), Buffer.alloc(5000, 'data'), { mode: 0o600 })
    linkSync(folder.join('root/d/file'), folder.join('root/link'))
    symlinkSync('d', folder.join('root/s'))
    await pack(folder, folder.join('root'))
    execFileSync('tar', ['-C', folder.join('tar'), '-xpf', folder.join('archive')])
    execFileSync('diff', ['-r', '--no-dereference', folder.join('root'), folder.join('tar')])
    assert.equal(lstatSync(folder.join('tar/link')).nlink, 2)
  })

  it('leaves the root out if its owner and mode are those of the directory named', async () => {
    using folder = new Folder()
    for (const name of ['root', 'same', 'other']) mkdirSync(folder.join(name))
    chmodSync(folder.join('other'), 0o700)
    const root = folder.join('root')
    assert.ok((await pack(folder, root, folder.join('same'))).equals(TAR_END))
    assert.equal((await pack(folder, root, folder.join('other'))).length, 5 * 512)
  })

  it('reading leaves no trace: times of access stay', async () => {
    using folder = new Folder()
    mkdirSync(folder.join('root'))
    writeFileSync(folder.join('root/file'), 'data')
    lutimesSync(folder.join('root/file'), 1000, 2000)
    await pack(folder, folder.join('root'))
    assert.equal(lstatSync(folder.join('root/file')).atimeMs, 1_000_000)
  })

  it('says why it cannot be made', async () => {
    using folder = new Folder()
    mkdirSync(folder.join('renamed/dir'), { recursive: true })
    lsetxattr(folder.join('renamed/dir'), 'trusted.overlay.redirect', Buffer.from('/x'))
    await assert.rejects(pack(folder, folder.join('renamed')), {
      code: 'INTERNAL',
      message: 'dir was renamed by overlay without a copy: cannot be archived',
    })
    const deep = folder.join('deep')
    execFileSync('sh', ['-c', `mkdir ${deep} && cd ${deep} && ${makeDeep(20)}`])
    await assert.rejects(pack(folder, deep), {
      code: 'INVALID_ARGUMENT',
      message: `path is too long: ${'y'.repeat(100)}…`,
    })
    const job = { root: folder.join('renamed/dir'), sameRootAs: undefined, progress: newProgress() }
    await assert.rejects(packDirectory({ ...job, output: '/dev/full' }, BINARY), {
      code: 'INTERNAL',
      message: 'write the archive: no space left on device',
    })
    await assert.rejects(
      packDirectory({ ...job, output: '/dev/full' }, folder.join('missing')),
      /cannot be run/,
    )
  })

  it('never leaves the directory and never waits, whatever takes the place of what it has seen', async () => {
    using folder = new Folder()
    const root = folder.join('root')
    mkdirSync(folder.join('secret'))
    writeFileSync(folder.join('secret/token'), 'host secret')
    for (let number = 0; number < 50; number++) {
      mkdirSync(join(root, `d${number}`), { recursive: true })
      writeFileSync(join(root, `d${number}/token`), 'mine')
      writeFileSync(join(root, `f${number}`), Buffer.alloc(5000, 'mine'))
    }
    let rounds = 0
    for (let archives = 0; archives < 5; archives++) {
      let isDone = false
      const packing = pack(folder, root).finally(() => {
        isDone = true
      })
      packing.catch(() => {})
      while (!isDone) {
        const name = `${rounds % 2 === 0 ? 'd' : 'f'}${rounds % 50}`
        const victim = join(root, name)
        renameSync(victim, `${victim}.moved`)
        if (rounds % 3 === 0) mknod(victim, 0o010600, 0, 0)
        else symlinkSync(folder.join(rounds % 2 === 0 ? 'secret' : 'secret/token'), victim)
        rmSync(victim)
        renameSync(`${victim}.moved`, victim)
        rounds += 1
        if (rounds % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      assert.ok(!(await packing).includes('host secret'))
    }
    assert.ok(rounds > 0)
  })
})

/** Shell that goes down so many directories of 200 bytes. */
function makeDeep(count: number): string {
  const name = 'y'.repeat(200)
  return Array.from({ length: count }, () => `mkdir ${name} && cd ${name}`).join(' && ')
}

/** The same for the same seed: names of any bytes, some long, nodes of most kinds. */
function makeRandomTree(root: string, seed: number): void {
  let state = seed
  const next = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % limit
  }
  const directories = [root]
  const files: string[] = []
  for (let count = 10 + next(40); count > 0; count--) {
    const length = next(8) === 0 ? 90 + next(160) : 1 + next(12)
    const name = String.fromCharCode(
      ...Array.from(
        { length },
        () => [1 + next(46), 48 + next(80), 128 + next(128)][next(3)] ?? 65,
      ),
    )
    const path = `${directories[next(directories.length)]}/${name}`
    const bytes = Buffer.from(path, 'latin1')
    if (path.length > 3000 || name === '.' || name === '..' || lstatOf(bytes)) continue
    switch (next(5)) {
      case 0:
        mkdirSync(bytes)
        directories.push(path)
        break
      case 1:
        symlinkSync(Buffer.alloc(1 + next(200), 1 + next(255)), bytes)
        break
      case 2:
        if (files.length > 0)
          linkSync(Buffer.from(files[next(files.length)] ?? '', 'latin1'), bytes)
        break
      default:
        writeFileSync(bytes, Buffer.alloc(next(3) * next(3000), 'data'))
        if (next(3) === 0)
          lsetxattr(bytes, `user.${next(1000)}`, Buffer.alloc(next(700), next(256)))
        chownSync(bytes, next(2) * next(2 ** 31), next(100))
        chmodSync(bytes, next(0o10000))
        files.push(path)
    }
  }
}

function lstatOf(path: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
