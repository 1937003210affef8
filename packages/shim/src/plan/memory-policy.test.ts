import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planMemoryPolicy } from './memory-policy.ts'

describe('the plan of a memory policy', () => {
  it('has the mode with its flags, and whole words of nodes', () => {
    const [op] = planMemoryPolicy({
      mode: 'MPOL_BIND',
      nodes: '0,2-3,64',
      flags: ['MPOL_F_STATIC_NODES'],
    })
    assert.ok(op?.op === 'set_mempolicy')
    assert.equal(op.mode, 0x8002)
    assert.equal(Buffer.from(op.nodes).toString('hex'), '0d000000000000000100000000000000')
  })

  it('has no nodes where none are named, and is nothing where nothing is said', () => {
    const [op] = planMemoryPolicy({ mode: 'MPOL_LOCAL' })
    assert.deepEqual(op, { op: 'set_mempolicy', mode: 4, nodes: new Uint8Array() })
    assert.deepEqual(planMemoryPolicy(undefined), [])
    assert.deepEqual(planMemoryPolicy(null), [])
  })

  for (const [policy, message] of [
    [{ mode: 'INTERLEAVE', nodes: '0' }, /^invalid memory policy mode "INTERLEAVE"$/],
    [{ nodes: '0-7' }, /^invalid memory policy mode ""$/],
    [{ mode: 'toString' }, /^invalid memory policy mode "toString"$/],
    [{ mode: 'MPOL_BIND', nodes: '0', flags: ['bad'] }, /^invalid memory policy flag "bad"$/],
    [{ mode: 'MPOL_BIND', nodes: '0-9876543210' }, /^invalid memory policy nodes/],
    [{ mode: 'MPOL_BIND', nodes: '1024' }, /^invalid memory policy nodes/],
    [{ mode: 'MPOL_BIND', nodes: '3-1' }, /^invalid memory policy nodes/],
    [{ mode: 'MPOL_BIND', nodes: 'x' }, /^invalid memory policy nodes/],
  ] as const) {
    it(`refuses ${JSON.stringify(policy)}`, () => {
      assert.throws(
        () => planMemoryPolicy({ ...policy, flags: 'flags' in policy ? [...policy.flags] : [] }),
        { message },
      )
    })
  }
})
