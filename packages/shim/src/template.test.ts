import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeStart } from './encode.ts'
import type { Op, Program } from './ops.ts'
import { ProgramTemplate } from './template.ts'

const [A, B] = ['0123456789ab', 'fedcba987654'].map((text) => text.repeat(6).slice(0, 64))
assert.ok(A !== undefined && B !== undefined)

const netlink = (...bytes: number[]): Op => ({
  op: 'netlink',
  side: 'host',
  message: Uint8Array.from(bytes),
  pid_offset: 0,
  ignore: 0,
})

function programOf(id: string, own: readonly Op[]): Program {
  const [first, ...others] = own
  return [
    { op: 'runtime_dir', path: `/run/c/${id.slice(0, 24)}` },
    ...(first === undefined ? [] : [first]),
    { op: 'cgroup', path: `/ctr/${id}` },
    ...others,
    { op: 'sethostname', name: id.slice(0, 12) },
    { op: 'exec', args: [`${id}${id}`, 'ü'], env: [`A=${id.slice(0, 12)}-${id.slice(0, 24)}`] },
  ]
}

describe('a template of programs', () => {
  it('gives for another id what the encoder gives', () => {
    for (const [ofA, ofB] of [
      [[], []],
      [[netlink(1)], [netlink(2, 3, 4)]],
      [
        [netlink(1), netlink(2), netlink(3)],
        [netlink(), netlink(5, 5), netlink(6)],
      ],
    ] as const) {
      const template = ProgramTemplate.of(programOf(A, ofA), A, ofA)
      assert.deepEqual(template?.fill(B, ofB), encodeStart(programOf(B, ofB)))
      assert.deepEqual(template?.fill(A, ofA), encodeStart(programOf(A, ofA)))
    }
  })

  it('knows an operation that the plan has put beside the child', () => {
    const own = [netlink(1), netlink(2)]
    const beside = (ops: readonly Op[]): Op[] => ops.map((op) => ({ ...op, beside: true }))
    const template = ProgramTemplate.of(programOf(A, beside(own)), A, own)
    const ofB = [netlink(3), netlink(4)]
    assert.deepEqual(template?.fill(B, ofB), encodeStart(programOf(B, beside(ofB))))
  })

  it('has an operation that is the same for many as it stands in each program', () => {
    const shared = Object.freeze(netlink(7))
    for (const place of [true, false, true]) {
      const here = (op: Op): Op => (place ? { ...op, beside: true } : op)
      const [ofA, ofB] = [
        [shared, netlink(1)],
        [shared, netlink(2)],
      ]
      const template = ProgramTemplate.of(programOf(A, ofA.map(here)), A, ofA)
      assert.deepEqual(template?.fill(B, ofB), encodeStart(programOf(B, ofB.map(here))))
    }
  })

  it('is none of a program that has not all of its own operations, or in another order', () => {
    const own = [netlink(1), netlink(2)]
    assert.equal(ProgramTemplate.of(programOf(A, own), A, [...own].reverse()), undefined)
    assert.equal(ProgramTemplate.of(programOf(A, []), A, own), undefined)
  })

  it('gives nothing for a run that has more or fewer operations of its own', () => {
    const own = [netlink(1)]
    const template = ProgramTemplate.of(programOf(A, own), A, own)
    assert.equal(template?.fill(B, []), undefined)
    assert.equal(template?.fill(B, [netlink(1), netlink(2)]), undefined)
  })
})
