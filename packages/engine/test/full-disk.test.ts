// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { killContainer, removeContainer, startContainer, stopContainer } from '@ctr/engine'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { TestEngine } from './support.ts'

const MEBIBYTE = 1024 * 1024

function fill(path: string): void {
  for (const size of [MEBIBYTE, 4096, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}

for (const size of ['96m', '40m']) {
  test(`containers that have filled a disk of ${size} can be stopped and removed`, async () => {
    const root = mkdtempSync('/tmp/ctr-full-disk-')
    mount('tmpfs', root, 'tmpfs', 0, `size=${size}`)
    try {
      const dataRoot = join(root, 'data')
      mkdirSync(dataRoot)
      await using test = await TestEngine.open({ dataRoot })
      const ids: string[] = []
      for (let index = 0; index < 5; index++) {
        const id = await test.create(['sleep', '1000'])
        await startContainer(test.engine, id)
        ids.push(id)
      }
      fill(join(root, 'filler'))
      assert.equal(statfsSync(root).bavail, 0)

      const [stopped, killed, ...others] = ids as [string, string, ...string[]]
      await stopContainer(test.engine, stopped, { timeoutSeconds: 0 })
      await removeContainer(test.engine, stopped, { force: false, volumes: false })
      await killContainer(test.engine, killed, 'SIGKILL')
      for (const id of [killed, ...others]) {
        await removeContainer(test.engine, id, { force: true, volumes: false })
      }
      assert.deepEqual([...test.engine.containers.all()], [])
    } finally {
      umount(root, MNT_DETACH)
      rmSync(root, { recursive: true })
    }
  })
}
