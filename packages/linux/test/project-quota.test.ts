// needs root, mkfs.ext4, a loop device and a kernel with project quotas of ext4
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { hasProjectQuota, joinProject, limitProject, projectOf, projectUse } from '@ctr/linux'

const directory = mkdtempSync('/tmp/ctr-linux-quota-')
const root = `${directory}/mounted`
const skip = mountWithQuota()

function mountWithQuota(): string | false {
  const image = `${directory}/image`
  mkdirSync(root)
  try {
    execFileSync('truncate', ['-s', '64M', image])
    const features = ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota']
    execFileSync('mkfs.ext4', [...features, image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop,prjquota', image, root], { stdio: 'pipe' })
    return false
  } catch {
    return 'needs root, mkfs.ext4, a loop device and a kernel with project quotas of ext4'
  }
}

after(() => {
  if (skip === false) execFileSync('umount', [root])
  rmSync(directory, { recursive: true })
})

const PROJECT = 2 ** 31 - 7
before(() => {
  if (skip === false) mkdirSync(`${root}/project`)
})

test('a filesystem without project quotas says so', () => {
  assert.equal(hasProjectQuota('/proc'), false)
})

test('what is made in a directory of a project counts, until it is removed', { skip }, () => {
  assert.equal(hasProjectQuota(root), true)
  assert.equal(projectOf(`${root}/project`), 0)
  assert.deepEqual(projectUse(root, PROJECT), { limitBytes: 0n, usedBytes: 0n })
  joinProject(`${root}/project`, PROJECT)
  assert.equal(projectOf(`${root}/project`), PROJECT)
  limitProject(root, PROJECT, 5_000_001)
  mkdirSync(`${root}/project/below`)
  writeFileSync(`${root}/project/below/file`, Buffer.alloc(1 << 20), { flush: true })
  assert.equal(projectOf(`${root}/project/below`), PROJECT)
  const { limitBytes, usedBytes } = projectUse(root, PROJECT)
  // ext4 keeps limits in KiB.
  assert.ok(limitBytes >= 5_000_001n && limitBytes < 5_003_000n, String(limitBytes))
  assert.ok(usedBytes >= 1n << 20n && usedBytes < 2n << 20n, String(usedBytes))
  limitProject(root, PROJECT, 0)
  rmSync(`${root}/project`, { recursive: true })
  assert.deepEqual(projectUse(root, PROJECT), { limitBytes: 0n, usedBytes: 0n })
})
