import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Demultiplexer } from './demultiplex.ts'

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

function split(bytes: Buffer, size: number): Record<number, string> {
  const streams: Record<number, string> = {}
  const demultiplexer = new Demultiplexer((stream, part) => {
    streams[stream] = (streams[stream] ?? '') + Buffer.from(part).toString('latin1')
  })
  for (let at = 0; at < bytes.length; at += size) demultiplexer.push(bytes.subarray(at, at + size))
  return streams
}

const BYTES = Buffer.concat([
  frame(1, 'out1\n'),
  frame(2, 'err\n'),
  frame(1, ''),
  frame(1, 'out2\n'),
])

for (const size of [1, 3, 8, 9, 100]) {
  it(`keeps stdout and stderr apart in pieces of ${size}`, () => {
    assert.deepEqual(split(BYTES, size), { 1: 'out1\nout2\n', 2: 'err\n' })
  })
}

it('hands on the part of a frame that is there', () => {
  assert.deepEqual(split(frame(1, 'abcdef').subarray(0, 11), 100), { 1: 'abc' })
})

it('refuses a stream that is not multiplexed', () => {
  assert.throws(
    () => split(Buffer.from('plain text of a terminal'), 100),
    /unrecognized stream header/,
  )
})
