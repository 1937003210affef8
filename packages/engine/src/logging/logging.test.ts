import assert from 'node:assert/strict'
import { test } from 'node:test'
import { journalField, journalMessage, type LogRecord, syslogMessage } from './format.ts'
import { parseDriverSettings, parseSyslogAddress } from './options.ts'
import { PartialLines } from './partial-lines.ts'

const RECORD: LogRecord = {
  stream: 'stderr',
  timeNs: 1_136_214_245_123_456_789n, // 2006-01-02T15:04:05.123456789Z
  text: Buffer.from('hello'),
  isPartial: false,
}

test('syslog messages in Docker’s four formats', () => {
  const context = { facility: 3, tag: 'abc', hostname: 'host', pid: 7, isLengthFramed: false }
  const write = (format: 'unix' | 'rfc3164' | 'rfc5424' | 'rfc5424micro'): string =>
    syslogMessage(RECORD, { ...context, format }).toString()
  assert.match(write('unix'), /^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d abc\[7\]: hello\n$/)
  assert.match(
    write('rfc3164'),
    /^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d host abc\[7\]: hello\n$/,
  )
  assert.equal(write('rfc5424'), '<27>1 2006-01-02T15:04:05Z host abc 7 abc - hello\n')
  assert.equal(write('rfc5424micro'), '<27>1 2006-01-02T15:04:05.123456Z host abc 7 abc - hello\n')
  const framed = syslogMessage(
    { ...RECORD, stream: 'stdout' },
    { ...context, format: 'rfc5424', isLengthFramed: true },
  ).toString()
  const message = '<30>1 2006-01-02T15:04:05Z host abc 7 abc - hello\n'
  assert.equal(framed, `${message.length} ${message}`)
})

test('journald fields: text as lines, line feeds by length, partial records marked', () => {
  const record = { ...RECORD, text: Buffer.from('a\nb'), isPartial: true }
  const piece = new PartialLines().pieceOf(record)
  const message = journalMessage(record, { CONTAINER_NAME: 'web' }, piece)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(3n)
  assert.ok(
    message.includes(Buffer.concat([Buffer.from('MESSAGE\n'), length, Buffer.from('a\nb\n')])),
  )
  for (const line of ['PRIORITY=3\n', 'CONTAINER_PARTIAL_MESSAGE=true\n', 'CONTAINER_NAME=web\n']) {
    assert.ok(message.includes(line), line)
  }
  assert.equal(journalField('com.example-x'), 'COM_EXAMPLE_X')
  assert.equal(journalField('__9a'), 'A')
  assert.equal(journalField('é'), '')
})

test('pieces of the two streams are counted apart', () => {
  const lines = new PartialLines()
  const next = (stream: 'stdout' | 'stderr', isPartial: boolean): unknown => {
    const piece = lines.pieceOf({ stream, isPartial })
    return piece && [piece.ordinal, piece.isLast]
  }
  assert.equal(next('stdout', false), undefined)
  assert.deepEqual(next('stdout', true), [1, false])
  assert.deepEqual(next('stderr', true), [1, false])
  assert.deepEqual(next('stdout', true), [2, false])
  assert.deepEqual(next('stdout', false), [3, true])
  assert.deepEqual(next('stderr', false), [2, true])
  assert.equal(next('stdout', false), undefined)
})

test('addresses', () => {
  assert.deepEqual(parseSyslogAddress(''), { protocol: 'unixgram', path: '/dev/log' })
  assert.deepEqual(parseSyslogAddress('unix:///a/b'), { protocol: 'unix', path: '/a/b' })
  assert.deepEqual(parseSyslogAddress('udp://h'), { protocol: 'udp', host: 'h', port: 514 })
  assert.deepEqual(parseSyslogAddress('tcp+tls://[::1]:6514'), {
    protocol: 'tcp+tls',
    host: '::1',
    port: 6514,
  })
  for (const text of ['http://x', 'tcp://', 'tcp://h:0', 'tcp://h:99999', 'unix://a', 'x']) {
    assert.throws(() => parseSyslogAddress(text), /in form proto:|invalid syslog address/, text)
  }
})

test('options are checked with Docker’s texts', () => {
  const parse = (Type: string, Config: Record<string, string>): unknown =>
    parseDriverSettings({ LogConfig: { Type, Config } })
  assert.equal(parse('json-file', {}), undefined)
  assert.equal(parse('toString', {}), undefined)
  assert.throws(() => parse('syslog', { x: '1' }), /unknown log opt 'x' for syslog log driver/)
  assert.throws(() => parse('syslog', { 'syslog-facility': 'z' }), /invalid syslog facility/)
  assert.throws(() => parse('syslog', { 'syslog-format': 'z' }), /Invalid syslog format/)
  assert.throws(() => parse('local', { mode: 'z' }), /logging mode not supported: z/)
  assert.throws(() => parse('local', { 'max-buffer-size': '1m' }), /only supported with/)
  assert.throws(() => parse('local', { 'max-file': '0' }), /max-file cannot be less than 1/)
  assert.deepEqual(
    parse('local', { 'max-size': '1k', mode: 'non-blocking', 'max-buffer-size': '1m' }),
    {
      cache: { maxBytes: 1000, maxFiles: 5, compress: true },
      destination: undefined,
    },
  )
})
