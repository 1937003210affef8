import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { RuntimeIntelRdt } from '@ctr/oci'
import {
  checkIntelRdt,
  findRdtGroup,
  makeRdtGroup,
  removeRdtGroup,
  resctrlRoot,
  updateRdt,
} from './intel-rdt.ts'

// A directory in the place of resctrl, which few machines have: what is written where.
describe('groups of Intel RDT', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync('/tmp/ctr-rdt-')
    for (const name of ['L3', 'MB']) mkdirSync(join(root, 'info', name), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const made = (rdt: RuntimeIntelRdt): { path: string; tasks: string } => {
    const group = findRdtGroup(rdt, 'c1', root)
    assert.ok(group)
    makeRdtGroup(rdt, group, root)
    return group
  }
  const written = (path: string): string => readFileSync(join(path, 'schemata'), 'utf8')

  it('resctrl is found where it is mounted', () => {
    const other = '22 1 0:21 / /sys rw,nosuid - sysfs sysfs rw\n'
    const mount = '41 22 0:40 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw\n'
    assert.equal(resctrlRoot(other), undefined)
    assert.equal(resctrlRoot(other + mount), '/sys/fs/resctrl')
  })

  it('a container has one of its own, with all its schemata, which goes with it', () => {
    const rdt = { l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20', schemata: ['L2:0=f'] }
    const group = made(rdt)
    assert.equal(group.path, join(root, 'c1'))
    assert.equal(group.tasks, join(root, 'c1/tasks'))
    assert.equal(written(group.path), 'L2:0=f\nL3:0=f\nMB:0=20\n')
    rmSync(join(group.path, 'schemata')) // in resctrl they go with the directory
    removeRdtGroup(findRdtGroup(rdt, 'c1', root))
    assert.ok(!existsSync(group.path))
  })

  it('one by name is shared: it has to exist if nothing is said about it, and stays', () => {
    const rdt = { closID: 'gold', enableMonitoring: true }
    assert.throws(() => made(rdt), /clos dir not accessible \(must be pre-created/)
    mkdirSync(join(root, 'gold'))
    assert.equal(made(rdt).tasks, join(root, 'gold/mon_groups/c1/tasks'))
    removeRdtGroup(findRdtGroup(rdt, 'c1', root))
    assert.ok(existsSync(join(root, 'gold')))
    assert.ok(!existsSync(join(root, 'gold/mon_groups/c1')))
    const silent = { closID: 'silver', l3CacheSchema: 'L3:0=1' }
    assert.equal(written(made(silent).path), 'L3:0=1\n')
    removeRdtGroup(findRdtGroup(silent, 'c1', root))
    assert.ok(existsSync(join(root, 'silver')))
  })

  it('what the kernel refuses is told with its reason', () => {
    writeFileSync(join(root, 'info/last_cmd_status'), 'non-consecutive 1-bits\n')
    mkdirSync(join(root, 'c1/schemata'), { recursive: true })
    assert.throws(
      () => made({ l3CacheSchema: 'L3:0=5' }),
      /unable to apply Intel RDT configuration: .*, last_cmd_status: non-consecutive 1-bits$/,
    )
  })

  it('an update writes what is new, and puts a container without a group into one', () => {
    const spec = { linux: {} } as never
    const wanted = { l3CacheSchema: 'L3:0=3', memBwSchema: '' }
    assert.deepEqual(updateRdt({ id: 'c1', pid: 7, spec }, wanted, root), {
      l3CacheSchema: 'L3:0=3',
    })
    assert.equal(written(join(root, 'c1')), 'L3:0=3\n')
    assert.equal(readFileSync(join(root, 'c1/tasks'), 'utf8'), '7')
    assert.throws(() => updateRdt({ id: 'c1', pid: 7, spec }, wanted, undefined), {
      message: 'Intel RDT/CAT: l3 cache schema is not enabled',
    })
    const nothing = { l3CacheSchema: '', memBwSchema: '' }
    assert.equal(updateRdt({ id: 'c1', pid: 7, spec }, nothing, undefined), undefined)
  })

  for (const [rdt, text] of [
    [
      { l3CacheSchema: 'L3:0=f' },
      'intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled',
    ],
    [
      { memBwSchema: 'MB:0=20' },
      'intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled',
    ],
    [{ closID: 'gold' }, 'intelRdt is specified in config, but Intel RDT is not enabled'],
    [{ closID: '..' }, 'invalid intelRdt.ClosID ".."'],
    [{ closID: 'a/b' }, 'invalid intelRdt.ClosID "a/b"'],
  ] as const) {
    it(`without resctrl ${JSON.stringify(rdt)} is refused`, () => {
      assert.throws(() => checkIntelRdt(rdt, undefined), { message: text })
    })
  }

  it('what is there is not refused', () => {
    checkIntelRdt({ closID: 'gold', l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20' }, root)
  })
})
