import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitAnswer } from './wait.ts'

test('a removal that fails is told with its reason since v1.34, by an empty answer before', () => {
  const result = { exitCode: 3, error: 'in use' }
  assert.equal(waitAnswer(result, 'removed', 33), '')
  assert.deepEqual(JSON.parse(waitAnswer(result, 'removed', 34)), {
    StatusCode: 3,
    Error: { Message: 'in use' },
  })
  assert.notEqual(waitAnswer(result, 'not-running', 33), '')
  assert.deepEqual(JSON.parse(waitAnswer({ exitCode: 3 }, 'removed', 33)), {
    StatusCode: 3,
    Error: null,
  })
})
