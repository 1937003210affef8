import assert from 'node:assert/strict'
import { it } from 'node:test'
import { countBuffer } from './young-buffers.ts'

const MiB = 1024 * 1024

it('asks for one young collection for each 4 MB of buffers', (context) => {
  const collect = context.mock.fn()
  const before = globalThis.gc
  globalThis.gc = collect as unknown as NonNullable<typeof globalThis.gc>
  context.after(() => {
    globalThis.gc = before
  })
  for (let count = 0; count < 12; count++) countBuffer(MiB)
  countBuffer(0)
  assert.deepEqual(
    collect.mock.calls.map((call) => call.arguments),
    [[{ type: 'minor' }], [{ type: 'minor' }], [{ type: 'minor' }]],
  )
})
