import assert from 'node:assert/strict'
import { existsSync, mkdirSync, rmdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CpuGroup, TMPFS } from './cpu-group.ts'

const HIERARCHIES = '/sys/fs/cgroup'

/** Else the hierarchies have no plain directory around them. */
const hasPlainDirectory =
  process.getuid?.() === 0 && existsSync(HIERARCHIES) && statfsSync(HIERARCHIES).type === TMPFS

test('what an engine makes where no hierarchy is mounted goes with its group, what was there before stays', {
  skip: hasPlainDirectory ? false : 'needs root and cgroup v1',
}, () => {
  const [old, made] = ['old', 'made'].map((name) => join(HIERARCHIES, `${name}-${process.pid}`))
  assert.ok(old && made)
  mkdirSync(old)
  const group = new CpuGroup(`test-${process.pid}`)
  try {
    for (const path of [old, made])
      mkdirSync(join(path, group.name, 'c/conmon'), { recursive: true })
    group.remove()
    assert.deepEqual([old, made].map(existsSync), [true, false])
    assert.ok(!existsSync(join(old, group.name)))
    assert.ok(!existsSync(group.usage))
  } finally {
    rmdirSync(old)
  }
})
