import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TarEntry } from './format.ts'
import { TarParser } from './parser.ts'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from './write.ts'

interface Member {
  entry: TarEntry
  data: Buffer
}

/** Everything the parser says, with holes as zeros. */
function parse(archive: Buffer, pieceBytes = archive.length): Member[] {
  const members: Member[] = []
  const parser = new TarParser({
    entry: (entry) =>
      members.push({ entry, data: Buffer.alloc(entry.type === 'file' ? entry.size : 0) }),
    data: (chunk, position) => chunk.copy(members.at(-1)?.data ?? Buffer.alloc(0), position),
    end: () => {},
  })
  for (let at = 0; at < archive.length; at += pieceBytes) {
    parser.write(archive.subarray(at, at + pieceBytes))
  }
  parser.finish()
  return members
}

function write(entries: readonly (NewEntry & { data?: Buffer })[]): Buffer {
  const parts = entries.flatMap(({ data = Buffer.alloc(0), ...entry }) => [
    encodeHeader({ ...entry, size: data.length }),
    data,
    Buffer.alloc(paddingOf(data.length)),
  ])
  return Buffer.concat([...parts, TAR_END])
}

const ENTRIES: (NewEntry & { data?: Buffer })[] = [
  { path: 'd/', type: 'directory', mode: 0o1777, uid: 1, gid: 2 },
  { path: 'empty', type: 'file', mode: 0o600 },
  { path: 'full', type: 'file', mode: 0o4755, data: Buffer.alloc(512, 'x'), mtimeSeconds: 1e9 },
  { path: `${'long/'.repeat(60)}x`, type: 'file', data: Buffer.from('long') },
  { path: 'bytes-\xff\x80', type: 'symlink', linkTarget: '\xfe/target' },
  { path: 'times', type: 'file', mtimeSeconds: -5, mtimeNanoseconds: 250_000_000 },
  { path: 'fraction', type: 'file', mtimeSeconds: -1, mtimeNanoseconds: 1 },
  { path: 'ids', type: 'file', uid: 4_000_000_000, gid: 2_097_152 },
  { path: 'link', type: 'hardlink', linkTarget: `${'long/'.repeat(60)}x` },
  { path: 'node', type: 'block', major: 259, minor: 70_000 },
  { path: 'fifo', type: 'fifo', mode: 0o622 },
  {
    path: 'attributes',
    type: 'file',
    data: Buffer.from('x'),
    xattrs: new Map([
      ['user.a', Buffer.from([0, 10, 61, 255])],
      ['user.empty', Buffer.alloc(0)],
    ]),
  },
]

describe('TarParser', () => {
  it('reads what encodeHeader writes, in pieces of any size', () => {
    const archive = write(ENTRIES)
    for (const pieceBytes of [archive.length, 1, 7, 511, 512, 513, 5000]) {
      const members = parse(archive, pieceBytes)
      assert.equal(members.length, ENTRIES.length)
      for (const [index, { entry, data }] of members.entries()) {
        const { data: wanted = Buffer.alloc(0), ...written } = ENTRIES[index] ?? {
          path: '',
          type: 'file' as const,
        }
        assert.deepEqual({ ...entry, ...written }, entry)
        assert.deepEqual(data, wanted)
      }
    }
  })

  it('stops at the end mark: what follows is not read', () => {
    const archive = Buffer.concat([
      write([{ path: 'a', type: 'file' }]),
      Buffer.alloc(700, 'garbage'),
    ])
    assert.equal(parse(archive).length, 1)
  })

  it('an archive without an end mark is complete after a whole member', () => {
    const archive = write([{ path: 'a', type: 'file', data: Buffer.from('abc') }])
    assert.equal(parse(archive.subarray(0, 1024)).length, 1)
    assert.equal(parse(archive.subarray(0, 515)).length, 1)
    assert.throws(() => parse(archive.subarray(0, 600)), /unexpected EOF/)
    assert.throws(() => parse(archive.subarray(0, 514)), /unexpected EOF/)
    assert.throws(() => parse(archive.subarray(0, 100)), /unexpected EOF/)
  })

  it('a pax header that nothing follows is an unexpected end', () => {
    const archive = write([{ path: 'x'.repeat(200), type: 'file' }])
    assert.throws(() => parse(archive.subarray(0, 1024)), /unexpected EOF/)
  })

  it('sums the bytes of a header wherever it is in memory, unsigned or, as some old tars, signed', () => {
    const path = '\xff'.repeat(100)
    const archive = write([{ path: 'a', type: 'file' }]).fill(0xff, 0, path.length)
    for (const isSigned of [false, true]) {
      const header = archive.subarray(0, 512).fill(' ', 148, 156)
      const values = [...(isSigned ? new Int8Array(header) : header)]
      const sum = values.reduce((total, value) => total + value, 0)
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
      for (const shift of [0, 1, 2, 3]) {
        const moved = Buffer.concat([Buffer.alloc(shift), archive]).subarray(shift)
        assert.deepEqual(
          parse(moved).map(({ entry }) => entry.path),
          [path],
        )
      }
    }
  })

  const broken: Record<string, (archive: Buffer) => void> = {
    'a wrong checksum': (archive) => archive.write('Z', 0),
    'a size that is no number': (archive) => change(archive, 124, 'abc'),
    'a negative size': (archive) => change(archive, 124, '\xff'.repeat(12)),
    'a size beyond every disk': (archive) => change(archive, 124, `\x80${'\xff'.repeat(11)}`),
    'an unknown type': (archive) => change(archive, 156, 'Z'),
    'a user id of 2^32 - 1': (archive) => change(archive, 108, '\x80\0\0\0\xff\xff\xff\xff'),
    'text after the first zero block': (archive) => archive.write('x', 1024),
  }
  for (const [name, edit] of Object.entries(broken)) {
    it(`refuses ${name}`, () => {
      const archive = write([{ path: 'a', type: 'file' }])
      if (name.startsWith('text')) archive.fill('y', 1024, 1030)
      edit(archive)
      assert.throws(() => parse(archive), { name: 'TarError' })
    })
  }

  for (const [name, records] of Object.entries({
    'a length of zero': '0 a=b\n',
    'a length beyond the end': '99 path=b\n',
    'a record without a line end': '9 path=bb',
    'a record without =': '7 path\n',
    'a path with a NUL': '11 path=a\0b\n',
    'a size that is no number': '11 size=1e3\n',
    'a time that is no number': '12 mtime=abc\n',
    'a user id out of range': '18 uid=4294967296\n',
  })) {
    it(`refuses a pax header with ${name}`, () => {
      assert.throws(() => parse(paxArchive(Buffer.from(records, 'latin1'))), { name: 'TarError' })
    })
  }

  it('refuses a pax header of more than a megabyte before it is read', () => {
    const header = encodeHeader({ path: 'p', type: 'file', size: 2 ** 32 })
    change(header, 156, 'x')
    assert.throws(() => parse(header), /too large/)
  })

  it('data of a directory or a link is skipped', () => {
    const archive = write([
      { path: 'd', type: 'file', data: Buffer.alloc(600, 1) },
      { path: 'f', type: 'file' },
    ])
    change(archive, 156, '\0')
    archive.write('d/', 0)
    change(archive, 156, '\0')
    assert.deepEqual(
      parse(archive).map(({ entry }) => [entry.path, entry.type]),
      [
        ['d/', 'directory'],
        ['f', 'file'],
      ],
    )
  })

  for (const sparse of [
    ['--format=gnu'],
    ['--format=pax', '--sparse-version=0.0'],
    ['--format=pax', '--sparse-version=0.1'],
    ['--format=pax', '--sparse-version=1.0'],
  ]) {
    it(`reads sparse files of GNU tar ${sparse.join(' ')}`, () => {
      const directory = mkdtempSync('/tmp/ctr-images-test-')
      try {
        const expected = Buffer.alloc(4 << 20)
        for (let index = 0; index < 30; index++)
          expected.fill(index + 1, index * 131_072, index * 131_072 + 4096)
        execFileSync('dd', ['of=file', 'conv=sparse', 'bs=4096', 'status=none'], {
          cwd: directory,
          input: expected,
        })
        writeFileSync(join(directory, 'hole'), '')
        truncateSync(join(directory, 'hole'), 1 << 20)
        writeFileSync(join(directory, 'plain'), 'plain')
        const archive = execFileSync('tar', ['-cS', ...sparse, 'file', 'hole', 'plain'], {
          cwd: directory,
          maxBuffer: 1 << 26,
        })
        assert.ok(archive.length < 1 << 20)
        for (const pieceBytes of [archive.length, 777]) {
          const [file, hole, plain] = parse(archive, pieceBytes)
          assert.equal(file?.entry.path, 'file')
          assert.ok(file.data.equals(expected))
          assert.equal(hole?.data.length, 1 << 20)
          assert.equal(String(plain?.data), 'plain')
        }
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }

  it('reads a sparse map of 60,000 pieces', () => {
    const count = 60_000
    const pieces = Array.from({ length: count }, (_, index) => `${index * 4}\n1\n`).join('')
    const map = padded(Buffer.from(`${count}\n${pieces}`))
    const records = { major: '1', minor: '0', name: 'sparse', realsize: String(count * 4) }
    const pax = Buffer.from(
      Object.entries(records)
        .map(([key, value]) => paxRecord(`GNU.sparse.${key}`, value))
        .join(''),
    )
    const head = encodeHeader({ path: 'x', type: 'file', size: pax.length })
    change(head, 156, 'x')
    const size = map.length + count
    const member = encodeHeader({ path: 'GNUSparseFile.0/sparse', type: 'file', size })
    const data = padded(Buffer.alloc(count, 'd'))
    const [sparse] = parse(Buffer.concat([head, padded(pax), member, map, data, TAR_END]), 10_000)
    assert.equal(sparse?.entry.path, 'sparse')
    assert.equal(sparse?.entry.size, count * 4)
    assert.ok(sparse?.data.equals(Buffer.alloc(count * 4, 'd\0\0\0')))
  })

  for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'pax']) {
    it(`reads the ${format} format of GNU tar`, () => {
      const directory = mkdtempSync('/tmp/ctr-images-test-')
      try {
        // v7 holds 99 bytes of a name, ustar 255 with its prefix.
        const long =
          { v7: 'a', ustar: `${'u'.repeat(90)}/${'v'.repeat(90)}` }[format] ??
          `${'n'.repeat(200)}/${'m'.repeat(200)}`
        mkdirSync(join(directory, long), { recursive: true })
        writeFileSync(join(directory, long, 'f'), 'data')
        symlinkSync(
          format === 'gnu' || format === 'pax' ? 't'.repeat(150) : 't',
          join(directory, 'link'),
        )
        const archive = execFileSync('tar', ['-c', `--format=${format}`, '--sort=name', '.'], {
          cwd: directory,
        })
        const members = parse(archive)
        const paths = members.map(({ entry }) => entry.path)
        assert.ok(paths.includes(`./${long}/f`), paths.join(' '))
        assert.equal(String(members.find(({ entry }) => entry.path.endsWith('/f'))?.data), 'data')
        assert.match(
          members.find(({ entry }) => entry.type === 'symlink')?.entry.linkTarget ?? '',
          /^t+$/,
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }

  it('survives random damage: it reads on or throws a TarError', () => {
    const archive = write(ENTRIES)
    let seed = 12_345
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % below
    }
    for (let round = 0; round < 3000; round++) {
      const damaged = Buffer.from(archive)
      const at = random(damaged.length / 512) * 512
      const count = 1 + random(4)
      for (let index = 0; index < count; index++) damaged[at + random(512)] = random(256)
      if (round % 2 === 0) fixChecksum(damaged, at)
      try {
        parseBounded(damaged)
      } catch (error) {
        assert.equal((error as Error).name, 'TarError', String(error))
      }
    }
  })
})

describe('encodeHeader', () => {
  it('is read by GNU tar', () => {
    const archive = write(ENTRIES.filter(({ path }) => path !== 'link'))
    const listing = execFileSync('tar', ['-tvf', '-', '--full-time'], {
      input: archive,
      encoding: 'latin1',
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
    })
    assert.match(listing, /^drwxrwxrwt 1\/2 /m)
    assert.match(listing, /^-rwsr-xr-x 0\/0 +512 2001-09-09 01:46:40 full$/m)
    assert.match(listing, / 4000000000\/2097152 /)
    assert.match(listing, /^b--------- 0\/0 +259,70000 /m)
  })
})

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc(paddingOf(data.length))])
}

/** For records of 10 to 99 bytes. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  return `${rest.length + 2}${rest}`
}

/** Sizes may be damaged to anything: nothing is allocated for them here. */
function parseBounded(archive: Buffer): void {
  const parser = new TarParser({ entry: () => {}, data: () => {}, end: () => {} })
  parser.write(archive)
  parser.finish()
}

function change(archive: Buffer, offset: number, bytes: string): void {
  archive.write(bytes, offset, 'latin1')
  fixChecksum(archive, 0)
}

function fixChecksum(archive: Buffer, at: number): void {
  archive.fill(' ', at + 148, at + 156)
  const sum = archive.subarray(at, at + 512).reduce((total, byte) => total + byte, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
}

function paxArchive(records: Buffer): Buffer {
  const header = encodeHeader({ path: 'p', type: 'file', size: records.length })
  change(header, 156, 'x')
  return Buffer.concat([
    header,
    records,
    Buffer.alloc(paddingOf(records.length)),
    write([{ path: 'a', type: 'file' }]),
  ])
}
