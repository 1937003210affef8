import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError } from '@ctr/errdefs'
import { errorAnswer } from './error-answer.ts'

test('a client is told what failed first, not that its undoing failed, too', async () => {
  const work = async (): Promise<void> => {
    await using undo = new AsyncDisposableStack()
    undo.defer(() => {
      throw new Error('and the directory stays')
    })
    undo.defer(() => {
      throw new Error('so does the thread')
    })
    throw new EngineError('CONFLICT', 'the name is taken')
  }
  const error: unknown = await work().catch((reason: unknown) => reason)
  assert.ok(error instanceof SuppressedError)
  assert.deepEqual(errorAnswer(error), {
    status: 409,
    code: 'CONFLICT',
    message: 'the name is taken',
  })
})
