import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { readExitRecord } from './exit-record.ts'

const RECORD = '{"status":256,"oom":true,"finishedNs":"1795312534166321599"}'

let directory: string
beforeEach((context) => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-exit-record-'))
  if ('after' in context) context.after(() => rmSync(directory, { recursive: true }))
})

test('a record is read as it was written', async () => {
  writeFileSync(join(directory, 'exit'), RECORD)
  assert.deepEqual(await readExitRecord(directory), {
    exitCode: 1,
    signal: 0,
    oomKilled: true,
    finishedAtNs: 1_795_312_534_166_321_599n,
  })
})

for (const text of [
  '',
  '{"status":9',
  'null',
  '{}',
  '{"status":"9"}',
  `${RECORD}x`,
  '\0'.repeat(4096),
]) {
  test(`${JSON.stringify(text.slice(0, 20))} is no record`, async () => {
    writeFileSync(join(directory, 'exit'), text)
    assert.equal(await readExitRecord(directory), undefined)
  })
}

test('what is no file of its own is no record and is not waited for', async () => {
  const path = join(directory, 'exit')
  assert.equal(await readExitRecord(directory), undefined)
  execFileSync('mkfifo', [path])
  assert.equal(await readExitRecord(directory), undefined)
  rmSync(path)
  mkdirSync(path)
  assert.equal(await readExitRecord(directory), undefined)
  rmSync(path, { recursive: true })
  writeFileSync(join(directory, 'other'), RECORD)
  symlinkSync('other', path)
  assert.equal(await readExitRecord(directory), undefined)
})
