import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputBatch } from './batch.ts'

test('pieces come out in their order, those of one stream together', () => {
  const written: string[] = []
  const out = (data: Uint8Array): number => written.push(`out ${Buffer.from(data).toString()}`)
  const err = (data: Uint8Array): number => written.push(`err ${Buffer.from(data).toString()}`)
  const batch = new OutputBatch()
  for (const [write, text] of [
    [out, 'a'],
    [out, 'b'],
    [err, 'c'],
    [out, 'd'],
  ] as const)
    batch.add(write, Buffer.from(text))
  batch.flush()
  batch.flush()
  assert.deepEqual(written, ['out ab', 'err c', 'out d'])
})

test('what is larger than the batch loses nothing', () => {
  const written: Buffer[] = []
  const write = (data: Uint8Array): number => written.push(Buffer.from(data))
  const batch = new OutputBatch()
  const parts = [1, 60_000, 10_000, 70_000, 65_536, 3].map((size, index) =>
    Buffer.alloc(size, String(index)),
  )
  for (const part of parts) batch.add(write, part)
  batch.flush()
  assert.ok(Buffer.concat(written).equals(Buffer.concat(parts)))
})
