import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capabilityMask, DEFAULT_CAPABILITIES, selectCapabilities } from './capabilities.ts'
import { chainIds, digestHex, digestOf, isDigest, newId, shortId } from './digest.ts'
import { parseUlimit, RLIM_INFINITY, rlimitNumber, rlimitValue } from './rlimits.ts'
import { parseSignal, signalName } from './signals.ts'

test('the 14 default capabilities are 0xa80425fb', () => {
  assert.equal(DEFAULT_CAPABILITIES.length, 14)
  assert.equal(capabilityMask(DEFAULT_CAPABILITIES), 0xa80425fbn)
})

const mask = (o: Parameters<typeof selectCapabilities>[0]): bigint =>
  capabilityMask(selectCapabilities(o))

test('added and dropped capabilities follow the rules of docker run', () => {
  assert.equal(mask({}), 0xa80425fbn)
  assert.equal(mask({ drop: ['ALL'] }), 0n)
  assert.equal(mask({ drop: ['all'], add: ['CHOWN'] }), 1n)
  assert.equal(mask({ drop: ['ALL'], add: ['cap_chown'] }), 1n)
  assert.equal(mask({ add: ['ALL'], drop: ['CHOWN'] }), 0x1fffffffffen)
  assert.equal(mask({ add: ['SYS_ADMIN'] }), 0xa80425fbn | (1n << 21n))
  assert.equal(mask({ drop: ['CAP_NET_RAW'] }), 0xa80425fbn & ~(1n << 13n))
  assert.equal(mask({ add: ['CHOWN'], drop: ['CHOWN'] }), 0xa80425fbn)
  assert.equal(mask({ privileged: true, drop: ['ALL'] }), 0x1ffffffffffn)
  assert.equal(mask({ privileged: true, available: 0x3fffffffffn }), 0x3fffffffffn)
})

test('unknown capabilities are named', () => {
  assert.throws(() => selectCapabilities({ add: ['bogus'] }), {
    message: 'unknown capability: "CAP_BOGUS"',
  })
  assert.throws(() => selectCapabilities({ drop: [''] }), { message: 'unknown capability: "CAP_"' })
  assert.throws(() => selectCapabilities({ add: ['BPF'], available: 0x3fffffffffn }), {
    message: /^capability not supported by your kernel/,
  })
})

const SIGNALS: readonly [text: string, number: number | undefined][] = [
  ['SIGKILL', 9],
  ['kill', 9],
  ['KILL', 9],
  ['9', 9],
  ['64', 64],
  ['65', undefined],
  ['0', undefined],
  ['-1', undefined],
  ['', undefined],
  ['SIG', undefined],
  ['SIGRTMIN', 34],
  ['RTMIN+3', 37],
  ['sigrtmax-1', 63],
  ['SIGRTMIN+31', undefined],
  ['SIGRTMAX-31', undefined],
  ['SIGCLD', 17],
  ['toString', undefined],
  ['9 ', undefined],
]
for (const [text, number] of SIGNALS) {
  test(`signal ${JSON.stringify(text)} is ${number}`, () => {
    assert.equal(parseSignal(text), number)
  })
}

test('signal names survive a round trip', () => {
  for (let number = 1; number <= 31; number++) {
    assert.equal(parseSignal(signalName(number)), number)
  }
  assert.equal(signalName(15), 'SIGTERM')
  assert.equal(signalName(35), 'SIGRTMIN+1')
  assert.equal(signalName(33), '33')
})

test('ulimits are parsed as docker does', () => {
  assert.deepEqual(parseUlimit('nofile=1024:2048'), { name: 'nofile', soft: 1024, hard: 2048 })
  assert.deepEqual(parseUlimit('nofile=1024'), { name: 'nofile', soft: 1024, hard: 1024 })
  assert.deepEqual(parseUlimit('core=-1'), { name: 'core', soft: -1, hard: -1 })
  assert.deepEqual(parseUlimit('core=0:-1'), { name: 'core', soft: 0, hard: -1 })
  const bad = [
    'nofile',
    'bogus=1',
    'nofile=',
    'nofile=1:2:3',
    'nofile=x',
    'nofile=2:1',
    'core=-1:5',
  ]
  for (const text of bad) assert.throws(() => parseUlimit(text), RangeError, text)
})

test('rlimits have the numbers of the kernel', () => {
  assert.equal(rlimitNumber('RLIMIT_CPU'), 0)
  assert.equal(rlimitNumber('RLIMIT_NOFILE'), 7)
  assert.equal(rlimitNumber('rttime'), 15)
  assert.equal(rlimitNumber('RLIMIT_BOGUS'), undefined)
  assert.equal(rlimitValue(-1), RLIM_INFINITY)
  assert.equal(rlimitValue(JSON.parse('18446744073709551615')), RLIM_INFINITY)
  assert.equal(rlimitValue(1024), 1024n)
})

test('digests are checked before they become file names', () => {
  const digest = digestOf('abc')
  assert.equal(digest, 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  assert.equal(digestHex(digest), digest.slice(7))
  assert.ok(!isDigest(`${digest}/..`))
  assert.throws(() => digestHex('sha256:../../etc/passwd'), RangeError)
})

test('a chain id is the digest of the chain below and the layer', () => {
  const [a, b] = [digestOf('a'), digestOf('b')]
  assert.deepEqual(chainIds([a, b]), [a, digestOf(`${a} ${b}`)])
  assert.deepEqual(chainIds([]), [])
})

test('ids are 64 hex digits that cannot be taken for a number', () => {
  const ids = Array.from({ length: 200 }, newId)
  for (const id of ids) assert.match(id, /^(?!\d{12})[0-9a-f]{64}$/)
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(shortId(`sha256:${'a'.repeat(64)}`), 'a'.repeat(12))
})
