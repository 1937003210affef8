import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeAhead, encodePrepare, encodeProgram, encodeStart } from './encode.ts'
import type { Op } from './ops.ts'

describe('encodeProgram', () => {
  it('writes code, side, flags, length and the fields in the order of the table', () => {
    const bytes = encodeProgram([
      { op: 'umount', path: '/a', flags: 2, side: 'host', optional: true },
    ])
    assert.equal(
      bytes.toString('hex'),
      '16000001' + '0b000000' + '02000000' + '2f6100' + '02000000',
    )
  })

  it('writes lists, bytes and 64-bit numbers', () => {
    const bytes = encodeProgram([
      { op: 'exec', args: ['a', ''], env: [] },
      { op: 'seccomp', filter: Uint8Array.of(1, 2), flags: 0 },
      { op: 'bounding', mask: 0x1_0000_0002n },
    ])
    assert.equal(
      bytes.toString('hex'),
      '5a000100' +
        '13000000' +
        '02000000' +
        '01000000' +
        '6100' +
        '00000000' +
        '00' +
        '00000000' +
        '4a000100' +
        '0a000000' +
        '02000000' +
        '0102' +
        '00000000' +
        '45000100' +
        '08000000' +
        '0200000001000000',
    )
  })

  it('writes a run that was encoded ahead as it is, and what only begins like one as ever', () => {
    const [a, b, c]: Op[] = [
      { op: 'sethostname', name: 'a' },
      { op: 'umask', mask: 1 },
      { op: 'setsid' },
    ]
    assert.ok(a && b && c)
    const expected = [[c, a, b, c], [a, c, b], [a], [c, a]].map((program) => encodeProgram(program))
    assert.deepEqual(encodeAhead([a, b]), [a, b])
    assert.deepEqual(
      [[c, a, b, c], [a, c, b], [a], [c, a]].map((program) => encodeProgram(program)),
      expected,
    )
  })

  it('keeps every byte of a long argument', () => {
    const long = 'ä"\n\\'.repeat(50_000)
    const bytes = encodeProgram([{ op: 'exec', args: [long], env: [] }])
    assert.equal(bytes.toString('utf8', 16, bytes.length - 5), long)
  })

  const refused: readonly [string, Op, RegExp][] = [
    ['a NUL in a string', { op: 'sethostname', name: 'a\0b' }, /NUL/],
    ['a number above u32', { op: 'umask', mask: 2 ** 32 }, /no u32/],
    ['a negative number', { op: 'umask', mask: -1 }, /no u32/],
    ['a fraction', { op: 'umask', mask: 0.5 }, /no u32/],
    ['a negative u64', { op: 'personality', persona: -1n }, /no u64/],
    ['a u64 too large', { op: 'personality', persona: 2n ** 64n }, /no u64/],
    ['an either-side operation without a side', { op: 'umount', path: '/', flags: 0 }, /side/],
    ['a missing field', { op: 'sethostname' } as unknown as Op, /sethostname\.name/],
  ]
  for (const [what, op, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => encodeProgram([op]), { name: 'RangeError', message })
    })
  }

  it('asks for the namespaces of a program like one, unless they belong to another user namespace', () => {
    const clone = (flags: bigint): Op => ({ op: 'clone', flags, cgroup: '' })
    const message = encodePrepare([clone(0x6802_0000n)])
    assert.equal(message?.toString('hex'), '43545250' + '01000000' + '00000048')
    const request = (index: number, flags: number): Buffer => {
      const link = Buffer.alloc(32)
      link.writeUInt16LE(16, 4)
      link.writeInt32LE(index, 20)
      link.writeUInt32LE(flags, 24)
      link.writeUInt32LE(1, 28)
      return link
    }
    const prepared = (side: 'host' | 'child', index: number, flags: number): string | undefined => {
      const netlink = { message: request(index, flags), pid_offset: 0, ignore: 0 }
      return encodePrepare([clone(0x4000_0000n), { op: 'netlink', side, ...netlink }])
        ?.subarray(8)
        .toString('hex')
    }
    assert.equal(prepared('child', 1, 1), '01000040', 'with its loopback up')
    assert.equal(prepared('child', 1, 0), '00000040')
    assert.equal(prepared('child', 2, 1), '00000040')
    assert.equal(prepared('host', 1, 1), '00000040')
    assert.equal(encodePrepare([clone(0x2002_0000n)]), undefined)
    assert.equal(encodePrepare([clone(0x7802_0000n)]), undefined)
    assert.equal(encodePrepare([{ op: 'umask', mask: 0 }]), undefined)
  })

  it('refuses an empty program and one above 16 MiB', () => {
    assert.throws(() => encodeStart([]), RangeError)
    const data = new Uint8Array(17 * 1024 * 1024)
    assert.throws(() => encodeStart([{ op: 'write', side: 'host', path: '/x', data }]), RangeError)
  })
})
