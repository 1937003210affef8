import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { isEngineError } from '@ctr/errdefs'
import { encodeHeader, paddingOf, TAR_END } from '@ctr/images'
import { unpackCheckpoint } from './archive.ts'
import { readDocument } from './import.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-archive-'))
after(() => rmSync(directory, { recursive: true }))

interface Member {
  readonly path: string
  readonly type?: 'file' | 'symlink' | 'hardlink' | 'fifo' | 'character'
  readonly text?: string
  readonly size?: number
}

function archiveOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ path, type = 'file', text = '', size = text.length }) => [
    encodeHeader({ path, type, size, linkTarget: '/etc/passwd' }),
    Buffer.from(text),
    Buffer.alloc(paddingOf(text.length)),
  ])
  return Buffer.concat([...parts, TAR_END])
}

let count = 0
async function unpack(...members: Member[]): Promise<string[]> {
  const scratch = join(directory, String(++count))
  const images = join(scratch, 'images')
  mkdirSync(images, { recursive: true })
  await unpackCheckpoint(Readable.from([archiveOf(members)]), scratch, images)
  return [...readdirSync(scratch), ...readdirSync(images)].toSorted()
}

const NEEDED: Member[] = [{ path: 'container.json', text: '{}' }, { path: 'rootfs-diff.tar' }]
const isInvalid = (error: unknown): boolean => isEngineError(error, 'INVALID_ARGUMENT')

test('what belongs into an exported container is unpacked', async () => {
  const found = await unpack(...NEEDED, { path: 'checkpoint/core-1.img', text: 'x' })
  assert.deepEqual(found, ['container.json', 'core-1.img', 'images', 'rootfs-diff.tar'])
})

test('anything else is refused', async () => {
  const hostile: Member[] = [
    { path: '../x' },
    { path: '/etc/x' },
    { path: 'checkpoint/../x' },
    { path: 'checkpoint/..' },
    { path: 'checkpoint/a/b' },
    { path: 'images/a' },
    { path: 'checkpoint/link', type: 'symlink' },
    { path: 'checkpoint/link', type: 'hardlink' },
    { path: 'checkpoint/fifo', type: 'fifo' },
    { path: 'checkpoint/null', type: 'character' },
    { path: 'container.json', text: 'twice' },
  ]
  for (const member of hostile) {
    await assert.rejects(unpack(...NEEDED, member), isInvalid, JSON.stringify(member))
  }
  await assert.rejects(unpack(), isInvalid)
})

test('a document that is too large is refused at its header', async () => {
  for (const path of ['container.json', 'checkpoint/checkpoint.json']) {
    await assert.rejects(unpack({ path, size: 2 ** 31 }), /is larger than/)
  }
})

test('a document that says nothing is refused', () => {
  const path = join(directory, 'document')
  for (const text of ['', '{', 'null', '5', '[]', '"x"', '{"version":1}']) {
    writeFileSync(path, text)
    assert.throws(() => readDocument(path), isInvalid, text)
  }
})
