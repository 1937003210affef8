import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RuntimeProcess } from '@ctr/oci'
import { planScheduling } from './scheduling.ts'

const plan = (more: Partial<RuntimeProcess>): ReturnType<typeof planScheduling> =>
  planScheduling({ user: { uid: 0, gid: 0 }, args: [], cwd: '/', ...more })

test('nothing is said, nothing is set', () => {
  assert.deepEqual(plan({}), [])
})

test('a scheduler is the structure of sched_setattr(2)', () => {
  const flags = ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM']
  const [op] = plan({
    scheduler: {
      policy: 'SCHED_DEADLINE',
      nice: -3,
      priority: 7,
      flags,
      runtime: 1,
      deadline: 2,
      period: 3,
    },
  })
  assert.ok(op?.op === 'sched_attr')
  assert.equal(
    Buffer.from(op.attr).toString('hex'),
    '30000000' +
      '06000000' +
      '0300000000000000' +
      'fdffffff' +
      '07000000' +
      '0100000000000000' +
      '0200000000000000' +
      '0300000000000000',
  )
})

test('an I/O priority is class and level', () => {
  const [op] = plan({ ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 5 } })
  assert.deepEqual(op, { op: 'io_priority', value: 0x4005 })
})

test('what the kernel does not know is refused', () => {
  const bad: Partial<RuntimeProcess>[] = [
    { scheduler: { policy: 'SCHED_NONE' } },
    { scheduler: { policy: 'toString' } },
    { scheduler: { policy: 'SCHED_OTHER', nice: 20 } },
    { scheduler: { policy: 'SCHED_FIFO', priority: -1 } },
    { scheduler: { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_X'] } },
    { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 8 } },
    { ioPriority: { class: 'BE', priority: 1 } },
  ]
  for (const one of bad) assert.throws(() => plan(one), { code: 'INVALID_ARGUMENT' })
})
