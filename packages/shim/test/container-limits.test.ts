// needs root, overlay; runs on cgroup v1, v2 and hybrid
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import {
  type CpuStats,
  cgroupPids,
  freezeCgroup,
  isCgroupFrozen,
  readCgroupStats,
  thawCgroup,
} from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { compileStart, containerCgroup, ShimError } from '../src/index.ts'
import { type Change, PlanBench } from './plan-bench.ts'
import { until } from './until.ts'

const needsRoot = process.getuid?.() === 0 ? false : 'needs root'

describe('the limits of a container', { skip: needsRoot }, () => {
  let bench: PlanBench
  before(async () => {
    bench = await PlanBench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  const limited = (resources: NonNullable<RuntimeSpec['linux']>['resources']): Change => ({
    spec: (spec) => {
      assert.ok(spec.linux)
      spec.linux.resources = { ...spec.linux.resources, ...resources }
    },
  })
  const MiB = 1024 * 1024

  test('a process that needs too much memory is killed, and it is reported', async () => {
    const outcome = await bench.run(
      'x=a; while :; do x=$x$x; done',
      limited({ memory: { limit: 10 * MiB, swap: 10 * MiB } }),
    )
    assert.deepEqual(
      [outcome.exit.exitCode, outcome.exit.signal, outcome.exit.oomKilled],
      [137, 9, true],
    )
  })

  test('a child that is killed leaves PID 1 alive', async () => {
    const outcome = await bench.run(
      'sh -c "x=a; while :; do x=\\$x\\$x; done"; echo rc=$?',
      limited({ memory: { limit: 10 * MiB, swap: 10 * MiB } }),
    )
    assert.equal(outcome.stdout, 'rc=137\n')
    assert.equal(outcome.exit.exitCode, 0)
  })

  test('processes are limited in number', async () => {
    const outcome = await bench.run(
      'for i in 1 2 3 4 5 6 7 8; do sleep 60 & done',
      limited({ pids: { limit: 5 } }),
    )
    assert.match(outcome.stderr, /can't fork/)
  })

  test('cpu time is limited to the quota', async () => {
    const period = 100_000
    // Small quotas, because a busy machine has to be able to give them.
    for (const quota of [10_000, 5_000]) {
      const change = limited({ cpu: { quota, period } })
      await using running = await bench.start(['sh', '-c', 'while :; do :; done'], change)
      const { cgroups } = bench.host
      const path = containerCgroup(running.input)
      const read = (): CpuStats => readCgroupStats(cgroups, path).cpu
      // The kernel takes what was used too much in one period (up to a tick of 10 ms) from the next ones.
      const tolerance = 10_000 / quota / 20 + 0.1
      let before = read()
      // Without a limit there are no such periods; a machine that stands still spoils some.
      await until(() => {
        const after = read()
        const periods = after.periods - before.periods
        if (periods < 20) return false
        const usedUs = (after.totalNs - before.totalNs) / 1000
        const share = usedUs / quota / periods
        const isHeldBack = after.throttledNs > before.throttledNs
        before = after
        return isHeldBack && share > 0.5 && share < 1 + tolerance
      }, 120_000)
    }
  })

  test('cpus are chosen and memory nodes inherited', async () => {
    assert.deepEqual(await bench.lines('nproc', limited({ cpu: { cpus: '0' } })), ['1'])
    await assert.rejects(bench.run('true', limited({ cpu: { cpus: '999' } })), (error) => {
      assert.ok(error instanceof ShimError)
      return (error.op === 'write' && error.code === 'ERANGE') || error.code === 'EINVAL'
    })
  })

  test('a frozen container stands still and its counters can be read', async () => {
    await using running = await bench.start(['sh', '-c', 'while :; do :; done'])
    const path = containerCgroup(running.input)
    const { cgroups } = bench.host
    assert.deepEqual(cgroupPids(cgroups, path), [running.connection.pid])
    await until(() => readCgroupStats(cgroups, path).cpu.totalNs > 0)
    await freezeCgroup(cgroups, path)
    assert.ok(isCgroupFrozen(cgroups, path))
    const frozen = readCgroupStats(cgroups, path)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(readCgroupStats(cgroups, path).cpu.totalNs, frozen.cpu.totalNs)
    thawCgroup(cgroups, path)
    await until(() => readCgroupStats(cgroups, path).cpu.totalNs > frozen.cpu.totalNs)
    assert.ok(frozen.memory.usageBytes > 0)
    assert.equal(frozen.pids.current, 1)
  })

  test('a failed start leaves no cgroup', async () => {
    const input = await bench.input(['nosuchcmd'])
    await assert.rejects(bench.spawner.run(compileStart(input, bench.host)))
    await until(() =>
      bench.host.cgroups.hierarchies.every((one) => {
        const text = execFileSync('ls', [`${one.mountpoint}${bench.cgroupParent}`], {
          encoding: 'utf8',
        })
        return !text.includes(input.containerId)
      }),
    )
  })
})
