import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DbusMessage, decodeMessage, encodeMessage, METHOD_CALL } from './dbus-message.ts'
import { limitProperties, parseScopeName, scopePath } from './scope.ts'

const call: DbusMessage = {
  type: METHOD_CALL,
  serial: 7,
  header: { path: '/a/b', interface: 'x.y', member: 'M', signature: 'ssa(sv)ub' },
  body: [
    'one',
    'zwei ä',
    [
      ['P', ['t', 5n]],
      ['Q', ['au', [1, 2]]],
    ],
    3,
    true,
  ],
}

test('a message comes back as it was, whole or in pieces, with what follows it', () => {
  const bytes = encodeMessage(call)
  const twice = Buffer.concat([bytes, bytes])
  const { message, rest } = decodeMessage(twice) ?? {}
  assert.equal(rest?.length, bytes.length)
  assert.deepEqual(message?.header, call.header)
  // A variant's value comes without its type.
  assert.deepEqual(message?.body, [
    'one',
    'zwei ä',
    [
      ['P', 5n],
      ['Q', [1, 2]],
    ],
    3,
    true,
  ])
  for (let end = 0; end < bytes.length; end++) {
    assert.equal(decodeMessage(bytes.subarray(0, end)), undefined)
  }
})

test('the bytes are those of the specification', () => {
  const { serial, type } = call
  const bytes = encodeMessage({ type, serial, header: { member: 'Hi', signature: 'u' }, body: [1] })
  const fields = '03017300020000004869000000000000' + '0801670001750000'
  assert.equal(bytes.toString('hex'), `6c01000104000000` + `0700000017000000${fields}` + '01000000')
})

test('what is no message is refused', () => {
  const bytes = encodeMessage(call)
  const broken = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32LE(value, at)
    return copy
  }
  assert.throws(() => decodeMessage(broken(0, 0)), RangeError)
  assert.throws(() => decodeMessage(broken(4, 0xffffffff)), RangeError)
  for (let at = 16; at < bytes.length - 4; at++) {
    // Any damage is an error or another message, never a read beyond the end.
    try {
      decodeMessage(broken(at, 0x7fffffff))
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error))
    }
  }
})

test('an array of elements of no size is refused', () => {
  const { serial, type } = call
  const body = [[1, 2], 3n]
  const bytes = encodeMessage({ type, serial, header: { signature: 'aut' }, body })
  bytes.write('a()', bytes.indexOf('aut'))
  assert.throws(() => decodeMessage(bytes), RangeError)
})

describe('scopes', () => {
  test('have the path of their slice', () => {
    const path = (text: string): string => scopePath(parseScopeName(text, 'id'))
    assert.equal(path(''), '/system.slice/ctr-id.scope')
    assert.equal(path('user-1000.slice:docker:abc'), '/user.slice/user-1000.slice/docker-abc.scope')
    assert.equal(path(':libpod:abc'), '/system.slice/libpod-abc.scope')
    assert.equal(path('-.slice:a:b'), '/a-b.scope')
    for (const bad of [
      '/a/b',
      'a:b',
      'x.slice:a:',
      'a/b.slice:a:b',
      'x.slice:a:b/c',
      'x:a:b',
      'a--b.slice:a:b',
    ]) {
      assert.throws(() => path(bad), /slice|unit/, bad)
    }
  })

  test('get the limits in the words of systemd', () => {
    const MiB = 1024 * 1024
    assert.deepEqual(
      limitProperties({
        memory: { limit: 50 * MiB, swap: 80 * MiB, reservation: -1 },
        cpu: { shares: 1024, quota: 25_001, period: 100_000, cpus: '0-1,9' },
        pids: { limit: 0 },
        blockIO: { weight: 1000 },
      }),
      [
        ['MemoryMax', ['t', BigInt(50 * MiB)]],
        ['MemoryLow', ['t', 2n ** 64n - 1n]],
        ['MemorySwapMax', ['t', BigInt(30 * MiB)]],
        ['CPUWeight', ['t', 100n]],
        ['CPUQuotaPerSecUSec', ['t', 260_000n]],
        ['CPUQuotaPeriodUSec', ['t', 100_000n]],
        ['TasksMax', ['t', 2n ** 64n - 1n]],
        ['IOWeight', ['t', 10_000n]],
        ['AllowedCPUs', ['ay', [3, 2]]],
      ],
    )
    assert.deepEqual(limitProperties({}), [])
  })
})
