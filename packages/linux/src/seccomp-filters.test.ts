import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { RuntimeSeccomp } from '@ctr/oci'
import { compileSeccomp } from './seccomp.ts'
import { SeccompFilters } from './seccomp-filters.ts'

const root = mkdtempSync('/tmp/ctr-filters-')
after(() => rmSync(root, { recursive: true }))

function denying(name: string): RuntimeSeccomp {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: [name], action: 'SCMP_ACT_ERRNO' }],
  }
}

test('a filter is compiled once, and read by the next process', () => {
  const directory = join(root, 'kept')
  const filters = new SeccompFilters(directory)
  const profile = denying('mkdir')
  assert.equal(filters.has(profile), false)
  const filter = filters.get(profile)
  assert.equal(filters.has(profile), true)
  assert.deepEqual(Buffer.from(filter), Buffer.from(compileSeccomp(profile)))
  assert.equal(filters.get(denying('mkdir')), filter)
  const [name = ''] = readdirSync(directory)
  // What is in the file is what the next one gives.
  const other = new SeccompFilters(join(root, 'other'))
  const otherFilter = other.get(denying('rmdir'))
  const [otherName = ''] = readdirSync(join(root, 'other'))
  copyFileSync(join(root, 'other', otherName), join(directory, name))
  const read = new SeccompFilters(directory).get(profile)
  assert.deepEqual(Buffer.from(read), Buffer.from(otherFilter))
})

test('a file that is no filter, and a directory that others write to, are not believed', () => {
  const directory = join(root, 'hostile')
  const profile = denying('mkdir')
  const right = Buffer.from(new SeccompFilters(directory).get(profile))
  const [name = ''] = readdirSync(directory)
  const file = join(directory, name)
  const whole = readFileSync(file)
  for (const damaged of [Buffer.from('cut'), whole.subarray(0, 12), Buffer.alloc(whole.length)]) {
    writeFileSync(file, damaged)
    assert.deepEqual(Buffer.from(new SeccompFilters(directory).get(profile)), right)
    assert.deepEqual(readFileSync(file), whole)
  }
  const elsewhere = join(root, 'hostile-other')
  new SeccompFilters(elsewhere).get(denying('rmdir'))
  copyFileSync(join(elsewhere, readdirSync(elsewhere)[0] ?? ''), file)
  chmodSync(directory, 0o777)
  assert.deepEqual(Buffer.from(new SeccompFilters(directory).get(profile)), right)
})

test('many profiles fill neither memory nor disk', () => {
  const directory = join(root, 'many')
  const filters = new SeccompFilters(directory)
  for (let errnoRet = 1; errnoRet <= 80; errnoRet++) {
    filters.get({ ...denying('mkdir'), defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: errnoRet })
  }
  assert.equal(readdirSync(directory).length, 64)
})

test('without a place it is compiled each time', () => {
  const profile = denying('mkdir')
  const filters = new SeccompFilters('/dev/null/none')
  assert.deepEqual(Buffer.from(filters.get(profile)), Buffer.from(compileSeccomp(profile)))
})
