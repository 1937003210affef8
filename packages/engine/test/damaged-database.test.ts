// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startContainer } from '@ctr/engine'
import { TestEngine } from './support.ts'

test('a damaged database is named, with what to do, and costs no container', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['sleep', '1000'])
  await startContainer(t.engine, id)
  await t.engine[Symbol.asyncDispose]()
  const path = join(t.config.dataRoot, 'ctr.db')
  copyFileSync(path, `${path}.good`)
  const bytes = readFileSync(path)
  const damages: (() => Buffer)[] = [
    () => Buffer.from(bytes).fill('x', 4096 * 2, 4096 * 30),
    () => Buffer.concat([Buffer.alloc(4096, 'x'), bytes.subarray(4096)]),
  ]
  for (const damage of damages) {
    writeFileSync(path, damage())
    await assert.rejects(t.reopen(), (error: Error) => {
      assert.match(error.message, /ctr\.db is damaged \(.*\); .* put a copy of it back, or/)
      return true
    })
  }
  for (const name of [`${path}-wal`, `${path}-shm`]) rmSync(name, { force: true })
  copyFileSync(`${path}.good`, path)
  await t.reopen()
  assert.equal(t.status(id), 'running')
})
