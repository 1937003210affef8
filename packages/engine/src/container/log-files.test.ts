import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { LogFile } from './log-files.ts'
import { formatRecords, formatTime, type RecordFormat } from './log-records.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/ctr-engine-log-')
})
afterEach(() => rmSync(directory, { recursive: true }))

async function readAll(file: LogFile, offset = 0): Promise<{ lines: string[]; next: number }> {
  const lines: string[] = []
  let next = offset
  for await (const block of file.lines(offset, (position) => (next = position))) {
    lines.push(...block.toString().split('\n').slice(0, -1))
  }
  return { lines, next }
}

describe('files of a log', () => {
  test('a line without its end waits for the rest', async () => {
    const path = join(directory, 'log')
    writeFileSync(path, 'one\ntw')
    using file = LogFile.open(path)
    assert.ok(file)
    const first = await readAll(file)
    assert.deepEqual(first, { lines: ['one'], next: 4 })
    appendFileSync(path, 'o\n')
    assert.deepEqual(await readAll(file, first.next), { lines: ['two'], next: 8 })
  })

  test('lines across blocks are whole, a line beyond the limit is left out', async () => {
    const path = join(directory, 'log')
    const long = 'x'.repeat(300_000)
    writeFileSync(path, `a\n${long}\n${'y'.repeat(2_000_000)}\nb\n`)
    using file = LogFile.open(path)
    assert.ok(file)
    const { lines } = await readAll(file)
    assert.deepEqual(lines, ['a', long, 'b'])
  })

  test('tail finds the last lines, also in compressed files', async () => {
    const lines = Array.from({ length: 50_000 }, (_, index) => `line ${index}`)
    const text = `${lines.join('\n')}\n`
    writeFileSync(join(directory, 'log'), text)
    writeFileSync(join(directory, 'log.1.gz'), gzipSync(text))
    for (const file of LogFile.openAll(join(directory, 'log'))) {
      for (const count of [0, 1, 20_000, 49_999]) {
        const { offset, lines: found } = await file.tail(count)
        assert.equal(found, count)
        assert.deepEqual((await readAll(file, offset)).lines, lines.slice(lines.length - count))
      }
      assert.deepEqual(await file.tail(60_000), { offset: 0, lines: 50_000 })
      file[Symbol.dispose]()
    }
  })

  test('the oldest file comes first, and an open one survives its rotation', async () => {
    const path = join(directory, 'log')
    writeFileSync(`${path}.2.gz`, gzipSync('1\n'))
    writeFileSync(`${path}.1`, '2\n')
    writeFileSync(path, '3\n')
    const files = LogFile.openAll(path)
    renameSync(path, `${path}.1`)
    const texts = []
    for (const file of files) {
      texts.push(...(await readAll(file)).lines)
      file[Symbol.dispose]()
    }
    assert.deepEqual(texts, ['1', '2', '3'])
  })
})

describe('records', () => {
  const FORMAT: RecordFormat = {
    stdout: true,
    stderr: true,
    timestamps: false,
    details: false,
    isRaw: true,
    since: '',
    until: '',
  }
  const record = (log: string, stream: string, second: number, attrs = {}): Buffer =>
    Buffer.from(JSON.stringify({ log, stream, time: `2026-01-01T00:00:0${second}.5Z`, ...attrs }))
  const lines = [
    record('a\n', 'stdout', 1),
    record('ü\n', 'stderr', 2, { attrs: { b: '2', a: 'x y' } }),
    Buffer.from('{"log":"cut'),
    record('c\n', 'stdout', 3),
  ]
  const whole = (parts: readonly Buffer[]): Buffer =>
    Buffer.concat(parts.flatMap((line) => [line, Buffer.from('\n')]))
  const format = (o: Partial<RecordFormat>): string =>
    formatRecords(whole(lines), { ...FORMAT, ...o }).output.toString()

  test('streams, times and attributes', () => {
    assert.equal(format({}), 'a\nü\nc\n')
    assert.equal(format({ stdout: false }), 'ü\n')
    assert.equal(
      format({ timestamps: true, stderr: false }),
      '2026-01-01T00:00:01.500000000Z a\n2026-01-01T00:00:03.500000000Z c\n',
    )
    assert.equal(format({ details: true, stdout: false }), 'a=x+y,b=2 ü\n')
  })

  test('since and until are inclusive', () => {
    const time = (second: number): string =>
      formatTime(BigInt(Date.UTC(2026, 0, 1, 0, 0, second, 500)) * 1_000_000n)
    assert.equal(format({ since: time(2) }), 'ü\nc\n')
    assert.equal(format({ until: time(2) }), 'a\nü\n')
    assert.equal(formatRecords(whole(lines), { ...FORMAT, until: time(2) }).isOver, true)
  })

  test('frames have the stream and the length in bytes', () => {
    const { output } = formatRecords(whole(lines.slice(1, 2)), { ...FORMAT, isRaw: false })
    assert.deepEqual([...output], [2, 0, 0, 0, 0, 0, 0, 3, 0xc3, 0xbc, 10])
  })

  test('what is taken as bytes is what JSON.parse says', () => {
    const texts = [
      '',
      '\n',
      'plain\n',
      'ü€😀\n',
      '"q" \\ \t\b\f\r/\n',
      '\x1b[1m<b>&\x7f\x01\n',
      'no end',
      '\u2028\n',
    ]
    const times = ['', '.1', '.123456789', '.000000001'].map((end) => `2026-01-01T00:00:00${end}Z`)
    for (const text of texts) {
      for (const time of times) {
        for (const stream of ['stdout', 'stderr'] as const) {
          const line = `${JSON.stringify({ log: text, stream, time })}\n`
          // As Go writes them.
          const escaped = line.replaceAll('<', '\\u003c').replaceAll('\b', '\\u0008')
          const padded = `${time.slice(0, 19)}.${time.slice(20, -1).padEnd(9, '0')}Z`
          for (const input of [line, escaped, escaped.repeat(3)]) {
            const count = input.length === escaped.length * 3 ? 3 : 1
            const bytes = Buffer.from(input)
            const plain = formatRecords(bytes, FORMAT).output.toString()
            assert.equal(plain, text.repeat(count), input)
            const timed = formatRecords(bytes, { ...FORMAT, timestamps: true }).output.toString()
            assert.equal(timed, `${padded} ${text}`.repeat(count), input)
            const none = formatRecords(bytes, { ...FORMAT, [stream]: false }).output
            assert.equal(none.length, 0, input)
          }
        }
      }
    }
  })

  test('damage anywhere in a record hides that record and no other', () => {
    const good = Buffer.concat([record('good\n', 'stdout', 1), Buffer.from('\n')])
    const line = record('a \\ "b" \u2028 \n', 'stderr', 2)
    const shown = (bytes: Buffer): string => {
      try {
        const parsed: unknown = JSON.parse(bytes.toString())
        const { log = '' } = parsed as { log?: unknown }
        return typeof log === 'string' ? log : ''
      } catch {
        return ''
      }
    }
    for (let at = 0; at < line.length; at++) {
      for (const byte of [0, 0x0b, 0x20, 0x22, 0x5c, 0x75, 0x7d]) {
        const damaged = Buffer.from(line)
        damaged[at] = byte
        const all = Buffer.concat([good, damaged, Buffer.from('\n'), good])
        const { output } = formatRecords(all, FORMAT)
        assert.equal(output.toString(), `good\n${shown(damaged)}good\n`, damaged.toString())
      }
    }
  })

  test('records cut at any byte are left out', () => {
    const line = record('text\n', 'stdout', 1)
    for (let length = 0; length < line.length; length++) {
      const cut = whole([line.subarray(0, length), line])
      assert.equal(formatRecords(cut, FORMAT).output.toString(), 'text\n')
    }
  })
})
