import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeFrame, type Frame, FrameReader } from './frames.ts'

function output(type: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8)
  header[0] = type
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

describe('frames with output among them', () => {
  const started = encodeFrame('STARTED', Buffer.alloc(20, 7))
  const exit = encodeFrame('EXIT', Buffer.alloc(16, 9))
  const said = [output(1, 'one'), output(2, ''), output(1, 'x'.repeat(300))]
  const stream = Buffer.concat([started, ...said, exit])

  it('are told apart however the stream is cut', () => {
    for (let size = 1; size <= stream.length; size++) {
      const reader = new FrameReader()
      const passed: Buffer[] = []
      reader.onOutput = (bytes) => passed.push(bytes)
      const frames: Frame[] = []
      for (let at = 0; at < stream.length; at += size) {
        reader.push(stream.subarray(at, at + size))
        for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame)
      }
      assert.deepEqual(
        frames.map(({ type, payload }) => [type, payload.length]),
        [
          [16, 20],
          [19, 16],
        ],
      )
      assert.deepEqual(Buffer.concat(passed), Buffer.concat(said))
      assert.equal(reader.rest.length, 0)
    }
  })

  it('come in one piece where nothing lies between', () => {
    const passed: string[] = []
    const reader = new FrameReader()
    reader.onOutput = (bytes) => passed.push(bytes.toString('latin1'))
    reader.push(Buffer.concat([...said, exit, ...said]))
    while (reader.next() !== undefined);
    const together = Buffer.concat(said).toString('latin1')
    assert.deepEqual(passed, [together, together])
  })

  it('keep their order', () => {
    const seen: string[] = []
    const reader = new FrameReader()
    reader.onOutput = (bytes) => seen.push(bytes.subarray(8).toString())
    reader.push(Buffer.concat([output(1, 'a'), started, output(2, 'b'), exit]))
    for (let frame = reader.next(); frame; frame = reader.next()) seen.push(String(frame.type))
    assert.deepEqual(seen, ['a', '16', 'b', '19'])
  })
})
