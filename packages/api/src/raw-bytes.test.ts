import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOfText, textOfBytes } from './raw-bytes.ts'

test('text is itself', () => {
  for (const text of ['', 'plain', 'ü € 💀', '\ufffd', 'a\u0000b']) {
    assert.equal(textOfBytes(Buffer.from(text)), text)
    assert.deepEqual(bytesOfText(text), Buffer.from(text))
  }
})

test('any bytes come back, through JSON too', () => {
  const samples = [
    [0xff, 0xfe, 0x80],
    [0x61, 0xff, 0xc3, 0xbc, 0x80],
    // Cut short, overlong, a surrogate, beyond the last character.
    [0xf0, 0x9f, 0x92],
    [0xc0, 0xaf],
    [0xed, 0xb2, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf0, 0x9f, 0x92, 0x80, 0x80],
    Array.from({ length: 256 }, (_, byte) => byte),
  ]
  for (const sample of samples) {
    const bytes = Buffer.from(sample)
    const text = textOfBytes(bytes)
    const json = JSON.stringify(text)
    assert.ok(json.isWellFormed())
    assert.deepEqual(bytesOfText(JSON.parse(json) as string), bytes)
  }
})

test('every valid character of every length is taken as one', () => {
  for (const code of [0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
    const text = String.fromCodePoint(code)
    assert.equal(textOfBytes(Buffer.from(`${text}x`)), `${text}x`)
  }
})

test('only what stands for a byte becomes one: no NUL, no slash', () => {
  assert.deepEqual(bytesOfText('\udc00\udc2f\ud800'), Buffer.from('\ufffd\ufffd\ufffd'))
})
