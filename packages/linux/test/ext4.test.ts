// needs root, mkfs.ext4 and a loop device
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isExt4WithoutJournal, spreadDirectories } from '@ctr/linux'

const directory = mkdtempSync(join(tmpdir(), 'ctr-linux-ext4-'))
const mounted: string[] = []
const plain = mountExt4('plain', '^has_journal')
const journaled = mountExt4('journaled', 'has_journal')
const skip = mounted.length < 2 && 'needs root, mkfs.ext4 and a loop device'

/** 64 block groups of 128 inodes, none of them packed together. */
function mountExt4(name: string, feature: string): string {
  const root = join(directory, name)
  const image = `${root}.img`
  mkdirSync(root)
  try {
    execFileSync('truncate', ['-s', '64M', image])
    const shape = ['-b', '1024', '-g', '1024', '-N', String(64 * 128)]
    const features = `${feature},^flex_bg,^resize_inode`
    execFileSync('mkfs.ext4', ['-q', ...shape, '-O', features, image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, root], { stdio: 'pipe' })
    mounted.push(root)
  } catch {
    // `skip` tells.
  }
  return root
}

after(() => {
  for (const root of mounted) execFileSync('umount', [root])
  rmSync(directory, { recursive: true })
})

test('a filesystem without a journal is told from others', { skip }, () => {
  assert.equal(isExt4WithoutJournal(plain), true)
  assert.equal(isExt4WithoutJournal(journaled), false)
  assert.equal(isExt4WithoutJournal('/proc'), false)
})

test('directories are spread over the block groups', { skip }, () => {
  const groups = (parent: string): number => {
    const paths = Array.from({ length: 16 }, (_, n) => join(parent, String(n)))
    for (const path of paths) mkdirSync(path)
    return new Set(paths.map((path) => Math.floor((statSync(path).ino - 1) / 128))).size
  }
  for (const name of ['near', 'far']) mkdirSync(join(plain, name))
  assert.ok(groups(join(plain, 'near')) < 6)
  spreadDirectories(join(plain, 'far'))
  assert.ok(groups(join(plain, 'far')) > 12)
})

test('a filesystem that cannot says so', () => {
  assert.throws(() => spreadDirectories('/proc'), /ENOTTY|EOPNOTSUPP/)
})
