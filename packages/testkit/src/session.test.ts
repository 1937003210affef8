import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from './session.ts'

test('a session with a terminal has the size asked for and sees a resize as SIGWINCH', async () => {
  await using session = new Session(
    ['sh', '-c', 'trap "stty size; exit 7" WINCH; stty size; while :; do sleep 0.05; done'],
    { tty: { rows: 33, columns: 91 } },
  )
  await session.waitFor('33 91')
  await session.resize(40, 100)
  await session.waitFor('40 100')
  assert.equal(await session.exited, 7)
})

test('a session without a terminal passes bytes both ways and ends at end of input', async () => {
  await using session = new Session(['cat'])
  session.write('one\n')
  await session.waitFor('one')
  session.end()
  assert.equal(await session.exited, 0)
})

test('arguments with quotes survive the terminal', async () => {
  await using session = new Session(['printf', '[%s]', `it's "q" $x`], {
    tty: { rows: 24, columns: 80 },
  })
  await session.waitFor(`[it's "q" $x]`)
})
