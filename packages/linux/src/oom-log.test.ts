import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOomKill } from './oom-log.ts'

const PREFIX = '6,2099,15485265727,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,'
const MEMCG = 'mems_allowed=0,oom_memcg=/ctr/1f,task_memcg=/ctr/1f,'

test('the kernel names the victim of a cgroup', () => {
  assert.deepEqual(parseOomKill(`${PREFIX}${MEMCG}task=sh,pid=24688,uid=0\n SUBSYSTEM=x\n`), {
    cgroup: '/ctr/1f',
    name: 'sh',
    pid: 24688,
  })
})

test('a name may hold anything', () => {
  const kill = parseOomKill(`${PREFIX}${MEMCG}task=a,pid=1,uid=2,pid=77,uid=1000`)
  assert.deepEqual(kill, { cgroup: '/ctr/1f', name: 'a,pid=1,uid=2', pid: 77 })
})

test('other records name nobody', () => {
  for (const record of ['', '6,1,2,-;Killed process 1 (sh)', `${PREFIX}task=sh`, 'oom-kill:']) {
    assert.equal(parseOomKill(record), undefined)
  }
})
