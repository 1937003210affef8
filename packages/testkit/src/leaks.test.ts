import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { findLeaks } from './leaks.ts'
import { requires } from './requires.ts'
import { run } from './run.ts'

const marks = {
  root: '/tmp/ctr-t-none',
  cgroup: 'ctt-none',
  bridge: 'ctt-none',
  environment: 'CTR_TEST_DAEMON=leaks-test',
}

test('a marked process is a leak until it has gone', async () => {
  assert.deepEqual(await findLeaks(marks), [])
  const child = spawn('sleep', ['60'], { env: { ...process.env, CTR_TEST_DAEMON: 'leaks-test' } })
  await once(child, 'spawn')
  assert.deepEqual(await findLeaks(marks), [`process ${child.pid} (sleep 60)`])
  child.kill()
  await once(child, 'exit')
  assert.deepEqual(await findLeaks(marks), [])
})

test('a mount in the namespace of the host makes no other process a leak', {
  skip: requires({ root: true }),
}, async () => {
  const root = mkdtempSync('/tmp/ctr-leaks-')
  mkdirSync(`${root}/data`)
  try {
    await run(['mount', '--bind', `${root}/data`, `${root}/data`])
    const found = await findLeaks({ ...marks, root })
    assert.deepEqual(
      found.map((line) => line.split(' ')[0]),
      ['mount'],
    )
  } finally {
    await run(['umount', `${root}/data`])
    rmSync(root, { recursive: true })
  }
})
