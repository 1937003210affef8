import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './run.ts'

test('a command gets its input and gives back both streams and its code', async () => {
  const result = await run(['sh', '-c', 'cat; echo err >&2; exit 3'], { input: 'in' })
  assert.deepEqual(
    { stdout: result.stdout, stderr: result.stderr, code: result.code },
    { stdout: 'in', stderr: 'err\n', code: 3 },
  )
})

test('a signal shows as 128+n', async () => {
  assert.equal((await run(['sh', '-c', 'kill -TERM $$'])).code, 143)
})

test('a command that takes too long is killed and what it said is in the error', async () => {
  await assert.rejects(
    run(['sh', '-c', 'echo started; exec sleep 60'], { timeoutMs: 2000 }),
    /still running after 2000 ms: sh .*\nstdout: started/,
  )
})

test('the environment of the test does not reach the command', async () => {
  process.env['DOCKER_HOST'] = 'tcp://elsewhere'
  const { stdout } = await run(['env'], { env: { A: '1' } })
  assert.match(stdout, /^A=1$/m)
  assert.doesNotMatch(stdout, /DOCKER_HOST/)
})
