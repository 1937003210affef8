import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError } from '@ctr/errdefs'
import { errorAnswer } from './error-answer.ts'

test('what fails for want of descriptors is said in words, whoever has noticed it', () => {
  const code = Object.assign(new Error('opendir failed'), { code: 'ENFILE' })
  for (const error of [
    code,
    new Error('Worker initialization failure: EMFILE'),
    new EngineError('INTERNAL', 'no volume', { cause: new Error('copy', { cause: code }) }),
  ]) {
    const { status, message } = errorAnswer(error)
    assert.equal(status, 503)
    assert.match(message, /^the limit of open files is reached: raise LimitNOFILE=/)
  }
  const refused = new EngineError('NOT_FOUND', 'no such file: EMFILE')
  assert.deepEqual(errorAnswer(refused).message, refused.message)
})

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
