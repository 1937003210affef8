import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame, FrameDecoder, STDERR, STDOUT, type StdcopyFrame } from './stdcopy.ts'

test('a frame begins with its stream and its length', () => {
  assert.deepEqual(
    encodeFrame(STDERR, Buffer.from('abc')),
    Buffer.from([2, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99]),
  )
})

test('what was encoded is decoded, however the bytes are cut', () => {
  const frames = [
    [STDOUT, 'one\n'],
    [STDERR, ''],
    [STDERR, 'two'],
    [STDOUT, 'x'.repeat(1000)],
  ] as const
  const bytes = Buffer.concat(
    frames.map(([stream, text]) => encodeFrame(stream, Buffer.from(text))),
  )
  for (const size of [1, 2, 7, 8, 9, 100, bytes.byteLength]) {
    const decoder = new FrameDecoder()
    const decoded: StdcopyFrame[] = []
    for (let at = 0; at < bytes.byteLength; at += size) {
      decoded.push(...decoder.push(bytes.subarray(at, at + size)))
    }
    assert.deepEqual(
      decoded.map(({ stream, payload }) => [stream, payload.toString()]),
      frames,
    )
    assert.equal(decoder.pendingBytes, 0)
  }
})

test('a stream that was cut leaves bytes behind', () => {
  const decoder = new FrameDecoder()
  assert.deepEqual(decoder.push(encodeFrame(STDOUT, Buffer.from('abc')).subarray(0, 9)), [])
  assert.equal(decoder.pendingBytes, 9)
})

test('bytes that are no frames are refused', () => {
  for (const bytes of ['hello world', '\x09\0\0\0\0\0\0\x01', '\x01\0\0\0\xff\xff\xff\xff']) {
    assert.throws(() => new FrameDecoder().push(Buffer.from(bytes, 'latin1')), {
      message: /^unrecognized stream header: /,
    })
  }
})
