// needs: root, busybox-static, time namespaces (Linux 5.6)
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { message, TestBundle } from './bundle.ts'

const skip = process.getuid?.() !== 0 ? 'needs root' : false
const noTime = existsSync('/proc/self/ns/time') ? false : 'this kernel has no time namespaces'

describe('scheduling and time of a container', { skip }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  after(() => bundle[Symbol.dispose]())

  it('has the scheduler, the niceness and the I/O priority of its config', async () => {
    bundle.configure(
      {},
      {
        // Fields nice and policy of proc_pid_stat(5).
        args: ['sh', '-c', 'ionice -p $$; cut -d " " -f 19,41 /proc/self/stat'],
        scheduler: { policy: 'SCHED_BATCH', nice: 5 },
        ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
      },
    )
    const { stdout, stderr } = await bundle.run('run', bundle.id('a'))
    assert.equal(stdout, 'idle\n5 3\n', stderr)
  })

  it('an I/O class without a level has the highest', async () => {
    bundle.configure(
      {},
      { args: ['sh', '-c', 'ionice -p $$'], ioPriority: { class: 'IOPRIO_CLASS_BE' } },
    )
    const { stdout, stderr } = await bundle.run('run', bundle.id('io'))
    assert.equal(stdout, 'best-effort: prio 0\n', stderr)
  })

  it('says that deadlines and cpusets exclude each other', async () => {
    const nanoseconds = { runtime: 10_000_000, deadline: 50_000_000, period: 50_000_000 }
    bundle.configure(
      {
        linux: {
          namespaces: [{ type: 'mount' }, { type: 'uts' }],
          resources: { cpu: { cpus: '0' } },
        },
      },
      { scheduler: { policy: 'SCHED_DEADLINE', ...nanoseconds } },
    )
    const result = await bundle.run('run', bundle.id('deadline'))
    assert.match(message(result), /process scheduler can't be used together with AllowedCPUs$/)
  })

  it('refuses what is no scheduler', async () => {
    bundle.configure({}, { scheduler: { policy: 'SCHED_NONE' } })
    const result = await bundle.run('run', bundle.id('a'))
    assert.match(message(result), /invalid scheduler policy: SCHED_NONE/)
    assert.deepEqual(bundle.containers(), [])
  })

  it('has clocks of its own, for an exec too', { skip: noTime }, async () => {
    const id = bundle.id('time')
    const namespaces = [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'uts' },
      { type: 'time' },
    ] as const
    const mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }]
    const timeOffsets = { boottime: { secs: 1_000_000_000 }, monotonic: { secs: 5, nanosecs: 7 } }
    bundle.configure({ mounts, linux: { namespaces: [...namespaces], timeOffsets } })
    const created = await bundle.run('create', id)
    assert.equal(created.code, 0, created.stderr)
    await bundle.run('start', id)
    const uptime = Number(
      (await bundle.run('exec', id, 'cut', '-d.', '-f1', '/proc/uptime')).stdout,
    )
    const own = Number(readFileSync('/proc/uptime', 'utf8').split('.')[0])
    assert.ok(Math.abs(uptime - own - 1_000_000_000) < 60, `${uptime} against ${own}`)
    const { stdout } = await bundle.run('exec', id, 'cat', '/proc/self/timens_offsets')
    assert.match(stdout, /monotonic +5 +7\nboottime +1000000000 +0/)
    await bundle.run('delete', '--force', id)
  })

  it('refuses offsets without a time namespace, and of other clocks', async () => {
    bundle.configure({
      linux: {
        namespaces: [{ type: 'mount' }, { type: 'uts' }],
        timeOffsets: { boottime: { secs: 1 } },
      },
    })
    assert.match(message(await bundle.run('run', bundle.id('a'))), /TIME namespace is not new/)
    const namespaces = [{ type: 'mount' }, { type: 'uts' }, { type: 'time' }] as const
    bundle.configure({
      linux: { namespaces: [...namespaces], timeOffsets: { realtime: { secs: 1 } } },
    })
    assert.match(message(await bundle.run('run', bundle.id('a'))), /unknown clock "realtime"/)
  })
})
