import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertTransition, isAlive, isRunningForUser, NEVER_RUN } from './state.ts'

test('transitions outside the table are refused', () => {
  assertTransition('created', 'running')
  assertTransition('restarting', 'running')
  assertTransition('paused', 'exited')
  for (const [from, to] of [
    ['created', 'paused'],
    ['exited', 'paused'],
    ['exited', 'restarting'],
    ['removing', 'running'],
    ['dead', 'running'],
  ] as const) {
    assert.throws(() => assertTransition(from, to), new RegExp(`a ${from} container cannot`))
  }
})

test('between two runs a container counts as running but is not alive', () => {
  const state = { status: 'restarting', restartAtNs: 0n, ...NEVER_RUN } as const
  assert.equal(isAlive(state), false)
  assert.equal(isRunningForUser(state), true)
})
