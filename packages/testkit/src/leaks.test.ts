import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { findLeaks } from './leaks.ts'

const marks = {
  root: '/tmp/ctr-t-none',
  cgroup: 'ctt-none',
  bridge: 'ctt-none',
  environment: 'CTR_TEST_DAEMON=leaks-test',
  except: [],
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
