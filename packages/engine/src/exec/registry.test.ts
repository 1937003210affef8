import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ExecTable, openStore } from '@ctr/store'
import { ExecRegistry, type ExecState } from './registry.ts'

const CONTAINER = 'f'.repeat(64)
const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
]
const EXITED: ExecState = { status: 'exited', pid: 7, exitCode: 0 }

describe('the execs of a container that have ended', () => {
  it('are told in the order of their end, without those that were never started', () => {
    using t = open()
    for (const id of [A, B, C, D]) t.create(id)
    for (const id of [C, A]) t.execs.change(id, EXITED)
    assert.deepEqual(t.ended(), [C, A])
    t.execs.delete(C)
    assert.deepEqual(t.ended(), [A])
    t.execs.deleteOfContainer(CONTAINER)
    assert.deepEqual(t.ended(), [])
  })

  it('are those of before when a change of them is taken back', () => {
    using t = open()
    for (const id of [A, B]) t.create(id)
    t.execs.change(A, EXITED)
    t.undo.length = 0
    t.execs.change(B, EXITED)
    t.execs.delete(A)
    assert.deepEqual(t.ended(), [B])
    for (const undo of t.undo.reverse()) undo()
    assert.deepEqual(t.ended(), [A])
  })

  it('are known after a start', () => {
    using t = open()
    for (const id of [A, B]) t.create(id)
    t.execs.change(B, EXITED)
    assert.deepEqual([...new ExecRegistry(t.table).endedOfContainer(CONTAINER)], [B])
  })
})

function open() {
  const store = openStore(':memory:')
  const table = new ExecTable(store)
  const undo: (() => void)[] = []
  const execs = new ExecRegistry(table, (step) => void undo.push(step))
  return {
    table,
    execs,
    undo,
    create: (id: string): void =>
      execs.insert({
        id,
        containerId: CONTAINER,
        createdAtNs: 1n,
        config: { Cmd: ['true'] },
        state: { status: 'created' },
      }),
    ended: (): string[] => [...execs.endedOfContainer(CONTAINER)],
    [Symbol.dispose]: (): void => store.close(),
  }
}
