// needs root, a writable cgroup tree
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  applyLimits,
  cgroupDirectory,
  cgroupLimits,
  cgroupPids,
  childCgroups,
  findHierarchy,
  freezeCgroup,
  type HostFacts,
  isCgroupFrozen,
  killCgroup,
  prepareCgroupParent,
  readHostFacts,
  removeCgroup,
  thawCgroup,
} from '../src/index.ts'

const MiB = 1024 * 1024

describe('cgroups', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  const parent = `/ctr-linux-${process.pid}`
  let host: HostFacts
  before(() => {
    host = readHostFacts()
  })
  after(async () => {
    await removeCgroup(host.cgroups, parent)
  })

  /** A process inside the cgroup, in every hierarchy. */
  function startIn(path: string): ChildProcess {
    // v2: processes live in leaves only. v1: a cpuset is filled before it is entered.
    prepareCgroupParent(host.cgroups, host.cgroups.mode === 'v2' ? dirname(path) : path)
    const child = spawn('sleep', ['60'])
    for (const hierarchy of host.cgroups.hierarchies) {
      mkdirSync(cgroupDirectory(hierarchy, path), { recursive: true })
      writeFileSync(`${cgroupDirectory(hierarchy, path)}/cgroup.procs`, String(child.pid))
    }
    return child
  }

  test('a parent is ready for processes, again and again', () => {
    const first = prepareCgroupParent(host.cgroups, parent)
    assert.deepEqual(prepareCgroupParent(host.cgroups, parent), first)
    for (const hierarchy of host.cgroups.hierarchies) {
      assert.ok(existsSync(cgroupDirectory(hierarchy, parent)))
    }
    const cpuset = findHierarchy(host.cgroups, 'cpuset')
    if (cpuset?.version === 1) {
      const text = readFileSync(`${cgroupDirectory(cpuset, parent)}/cpuset.cpus`, 'utf8')
      assert.equal(text.trim(), first?.cpus)
    }
  })

  test('limits change in both directions, whatever the order', () => {
    const path = `${parent}/limits`
    prepareCgroupParent(host.cgroups, path)
    const version = host.cgroups.mode === 'v2' ? 2 : 1
    const set = (limit: number, swap: number): void => {
      const facts = { version, kernel: host.kernel, hasSwapAccounting: true } as const
      applyLimits(host.cgroups, path, cgroupLimits({ memory: { limit, swap } }, facts))
    }
    const memory = findHierarchy(host.cgroups, 'memory')
    assert.ok(memory)
    const read = (): number => {
      const name = version === 1 ? 'memory.limit_in_bytes' : 'memory.max'
      return Number(readFileSync(`${cgroupDirectory(memory, path)}/${name}`, 'utf8'))
    }
    for (const limit of [64, 128, 32]) {
      set(limit * MiB, limit * MiB)
      assert.equal(read(), limit * MiB)
    }
    assert.throws(() =>
      applyLimits(host.cgroups, path, [
        { controller: 'memory', file: 'memory.nonsense', value: '1' },
      ]),
    )
  })

  test('a frozen cgroup is listed, killed and removed with what is below it', async () => {
    const path = `${parent}/kill`
    const children = [startIn(`${path}/a`), startIn(`${path}/b/below`)]
    const pids = children.map((child) => child.pid)
    assert.deepEqual(new Set(cgroupPids(host.cgroups, path)), new Set(pids))
    assert.deepEqual(childCgroups(host.cgroups, path), ['a', 'b'])
    await freezeCgroup(host.cgroups, path)
    assert.ok(isCgroupFrozen(host.cgroups, path))
    const exits = children.map((child) => once(child, 'exit'))
    await killCgroup(host.cgroups, path)
    for (const [, signal] of await Promise.all(exits)) assert.equal(signal, 'SIGKILL')
    await removeCgroup(host.cgroups, path)
    for (const hierarchy of host.cgroups.hierarchies) {
      assert.ok(!existsSync(cgroupDirectory(hierarchy, path)))
    }
  })

  test('a cgroup that is gone has no processes and is removed already', async () => {
    assert.deepEqual(cgroupPids(host.cgroups, `${parent}/gone`), [])
    assert.deepEqual(childCgroups(host.cgroups, `${parent}/gone`), [])
    await killCgroup(host.cgroups, `${parent}/gone`)
    await removeCgroup(host.cgroups, `${parent}/gone`)
    thawCgroup(host.cgroups, `${parent}/gone`)
    await assert.rejects(freezeCgroup(host.cgroups, `${parent}/gone`), /ENOENT/)
  })
})
