import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pack } from 'tar-stream'
import { packPath, unpackInto } from './tar.ts'

const root = mkdtempSync(join(tmpdir(), 'ctr-tar-'))
after(() => rmSync(root, { recursive: true }))

type Entry = readonly [
  name: string,
  type: 'file' | 'directory' | 'symlink' | 'link',
  content?: string,
]

function tarOf(entries: readonly Entry[]): AsyncIterable<Uint8Array> {
  const tar = pack()
  for (const [name, type, content = ''] of entries) {
    if (type === 'file') tar.entry({ name, type }, content)
    else tar.entry({ name, type, linkname: content })
  }
  tar.finalize()
  return tar as AsyncIterable<Uint8Array>
}

function target(name: string): string {
  const path = join(root, name)
  mkdirSync(path)
  return path
}

describe('unpackInto', () => {
  it('renames the root entry and keeps links as they are', async () => {
    const directory = target('rename')
    const bytes = await unpackInto(
      tarOf([
        ['src/', 'directory'],
        ['src/a', 'file', 'hello'],
        ['src/up', 'symlink', '../../etc'],
      ]),
      { directory, from: 'src', to: 'new', keepOwner: false },
    )
    assert.equal(bytes, 5)
    assert.equal(readFileSync(join(directory, 'new/a'), 'utf8'), 'hello')
    assert.equal(readlinkSync(join(directory, 'new/up')), '../../etc')
  })

  for (const [name, entries] of [
    ['dot-dot', [['../out', 'file', 'x']]],
    ['dot-dot inside', [['d/../../out', 'file', 'x']]],
    [
      'a link and a file behind it',
      [
        ['d/l', 'symlink', '..'],
        ['d/l/out', 'file', 'x'],
      ],
    ],
    [
      'a link in the place of a directory that was there, and a file behind it',
      [
        ['d/l/file', 'file', 'x'],
        ['d/l', 'symlink', '../..'],
        ['d/l/out', 'file', 'x'],
      ],
    ],
    [
      'a link in the place of an empty directory, and a file behind it',
      [
        ['d/l', 'directory'],
        ['d/l', 'symlink', '../..'],
        ['d/l/out', 'file', 'x'],
      ],
    ],
    [
      'a link and a directory behind it',
      [
        ['d/l', 'symlink', '/tmp'],
        ['d/l/out/', 'directory'],
      ],
    ],
    ['a hard link to the outside', [['d/l', 'link', '../../etc/passwd']]],
  ] as const) {
    it(`writes nothing outside: ${name}`, async () => {
      const directory = target(name)
      await assert.rejects(
        unpackInto(tarOf(entries), { directory, from: 'd', to: 'd', keepOwner: false }),
      )
      assert.equal(existsSync(join(root, 'out')), false)
      assert.equal(existsSync(join(directory, 'out')), false)
    })
  }

  it('replaces a link by a file instead of writing through it', async () => {
    const directory = target('through')
    writeFileSync(join(root, 'victim'), 'safe')
    symlinkSync(join(root, 'victim'), join(directory, 'f'))
    await unpackInto(tarOf([['f', 'file', 'new']]), {
      directory,
      from: 'f',
      to: 'f',
      keepOwner: false,
    })
    assert.equal(readFileSync(join(root, 'victim'), 'utf8'), 'safe')
    assert.equal(lstatSync(join(directory, 'f')).isFile(), true)
  })

  it('takes large files and many small ones, each with its bytes', async () => {
    const source = target('sizes')
    const sizes = [0, 1, 511, 512, 513, 131_072, 262_144, 262_145, 3_000_000]
    for (const size of sizes)
      writeFileSync(join(source, String(size)), Buffer.alloc(size, `${size} `))
    for (let file = 0; file < 500; file++) writeFileSync(join(source, `small${file}`), `${file}`)
    const options = { name: 'x', followLink: false, counter: { bytes: 0 } }
    await unpackInto(packPath(source, options), {
      directory: root,
      from: 'x',
      to: 'sizes-copy',
      keepOwner: false,
    })
    execFileSync('diff', ['-r', source, join(root, 'sizes-copy')])
  })

  it('is the inverse of packPath', async () => {
    const source = target('source')
    mkdirSync(join(source, 'sub'), { mode: 0o750 })
    writeFileSync(join(source, 'sub/x'), 'content', { mode: 0o640 })
    writeFileSync(join(source, 'empty'), '')
    symlinkSync('sub/x', join(source, 'link'))
    const directory = target('copy')
    const counter = { bytes: 0 }
    const tar = packPath(source, { name: 'source', followLink: false, counter })
    await unpackInto(tar, { directory, from: 'source', to: 'source', keepOwner: false })
    assert.equal(counter.bytes, 7)
    assert.equal(readFileSync(join(directory, 'source/sub/x'), 'utf8'), 'content')
    assert.equal(lstatSync(join(directory, 'source/sub/x')).mode & 0o777, 0o640)
    assert.equal(readlinkSync(join(directory, 'source/link')), 'sub/x')
    assert.equal(readFileSync(join(directory, 'source/empty'), 'utf8'), '')
  })
})

describe('packPath', () => {
  it('carries FIFOs and files with several names over', async () => {
    const source = target('special')
    execFileSync('mkfifo', ['-m', '640', join(source, 'pipe')])
    writeFileSync(join(source, 'a'), 'text')
    linkSync(join(source, 'a'), join(source, 'b'))
    const directory = target('special-copy')
    const counter = { bytes: 0 }
    const tar = packPath(source, { name: 'new', followLink: false, counter })
    await unpackInto(tar, { directory, from: 'new', to: 'new', keepOwner: false })
    const pipe = lstatSync(join(directory, 'new/pipe'))
    assert.ok(pipe.isFIFO())
    assert.equal(pipe.mode & 0o777, 0o640)
    assert.equal(lstatSync(join(directory, 'new/a')).ino, lstatSync(join(directory, 'new/b')).ino)
    assert.equal(counter.bytes, 4)
  })
})
