import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { shimBinaryPath } from './binary.ts'
import { FRAMES } from './frames.ts'
import { OPS } from './ops.ts'

describe('protocol', () => {
  const lines = execFileSync(shimBinaryPath, ['--print-protocol'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

  it('has the same operations, codes, sides and fields in C and TypeScript', () => {
    const native = lines.filter((line) => 'op' in line)
    const ours = Object.entries(OPS).map(([op, shape]) => ({
      op,
      code: shape.code,
      side: shape.side,
      fields: shape.fields,
    }))
    // As text, because the order of the fields is the order on the wire.
    assert.deepEqual(
      native.map((line) => JSON.stringify(line)),
      ours.map((line) => JSON.stringify(line)),
    )
  })

  it('has the same frames', () => {
    const native = lines.filter((line) => 'frame' in line)
    const ours = Object.entries(FRAMES).map(([frame, type]) => ({ frame, type }))
    assert.deepEqual(native, ours)
  })
})
