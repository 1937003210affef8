// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ContainerConfig, HostConfig } from '@ctr/api'
import { createVolume, getContainer, reconfigureEngine, startContainer } from '@ctr/engine'
import { encodeStart, type Op } from '@ctr/shim'
import type { EndpointOps } from '../src/container/connect-networks.ts'
import { type PreparedStart, prepareStart } from '../src/container/prepared-start.ts'
import { compileProgram, type ProgramOptions, visibleHostname } from '../src/container/program.ts'
import { TestEngine } from './support.ts'

interface Variant {
  readonly hostConfig?: HostConfig
  readonly config?: ContainerConfig
  /** More is looked up for it. */
  readonly isAlone?: false
}

const VARIANTS: readonly Variant[] = [
  {},
  { config: { Hostname: 'given' } },
  { config: { Domainname: 'example.org' } },
  { config: { Env: ['A=1', 'HOSTNAME=other'] } },
  { config: { Env: ['A=2'] } },
  { config: { WorkingDir: '/tmp' } },
  { config: { User: 'daemon' } },
  { config: { User: '7:8' } },
  { config: { Tty: true } },
  { config: { OpenStdin: true, StdinOnce: true } },
  { config: { Labels: { a: 'b' } } },
  { config: { Cmd: ['sh', '-c', 'exit 3'] } },
  { hostConfig: { NetworkMode: 'host' } },
  { hostConfig: { NetworkMode: 'bridge' } },
  { hostConfig: { PidMode: 'host', IpcMode: 'host', UTSMode: 'host' } },
  { hostConfig: { CapAdd: ['NET_ADMIN'], CapDrop: ['CHOWN'] } },
  { hostConfig: { CapAdd: ['ALL'] } },
  { hostConfig: { ReadonlyRootfs: true } },
  { hostConfig: { Memory: 64 * 1024 * 1024 } },
  { hostConfig: { Memory: 65 * 1024 * 1024 } },
  { hostConfig: { CpuShares: 512, PidsLimit: 7, NanoCpus: 500_000_000 } },
  { hostConfig: { CgroupParent: '/ctr-prepared-start' } },
  { hostConfig: { Init: true } },
  { hostConfig: { OomScoreAdj: 100 } },
  { hostConfig: { SecurityOpt: ['no-new-privileges'] } },
  { hostConfig: { SecurityOpt: ['seccomp=unconfined'] } },
  { hostConfig: { Sysctls: { 'net.ipv4.ip_forward': '1' } } },
  { hostConfig: { Tmpfs: { '/x': 'size=1m' } } },
  { hostConfig: { Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 128 }] } },
  { hostConfig: { GroupAdd: ['5'] } },
  { hostConfig: { ShmSize: 1024 * 1024 } },
  { hostConfig: { MaskedPaths: [], ReadonlyPaths: ['/proc/sys'] } },
  { hostConfig: { LogConfig: { Type: 'none' } } },
  { hostConfig: { AutoRemove: true } },
  { hostConfig: { LogConfig: { Config: { tag: '{{.ID}}' } } }, isAlone: false },
  { hostConfig: { Binds: ['/tmp:/host'] }, isAlone: false },
  { hostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/y' }] }, isAlone: false },
  { hostConfig: { Privileged: true }, isAlone: false },
  {
    hostConfig: { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x' }] },
    isAlone: false,
  },
  { hostConfig: { DeviceCgroupRules: ['c 1:3 r'] }, isAlone: false },
  { config: { Volumes: { '/v': {} } }, isAlone: false },
]

const RUNS: Pick<ProgramOptions, 'expectAttach' | 'consoleSize'>[] = [
  { expectAttach: 0, consoleSize: undefined },
  { expectAttach: 1, consoleSize: undefined },
  { expectAttach: 0, consoleSize: { rows: 25, columns: 80 } },
]

const netlink = (side: 'host' | 'child', ...bytes: number[]): Op => {
  const message = Uint8Array.from(bytes)
  return { op: 'netlink', side, message, pid_offset: 0, ignore: 0 }
}

describe('a prepared start', { timeout: 300_000 }, () => {
  let t: TestEngine
  before(async () => {
    t = await TestEngine.open()
  })
  after(() => t[Symbol.asyncDispose]())

  function prepare(
    id: string,
    o: (typeof RUNS)[number],
    endpoints: readonly EndpointOps[] = [],
  ): { prepared: PreparedStart; expected: Buffer } {
    const container = getContainer(t.engine, id)
    const options = { ...o, endpoints, hostname: visibleHostname(t.engine, container) }
    const prepared = prepareStart(t.engine, container, options)
    return { prepared, expected: encodeStart(compileProgram(t.engine, container, options)) }
  }

  test('is the program of the container, whatever was started before', async () => {
    const first: string[] = []
    const second: string[] = []
    for (const ids of [first, second]) {
      for (const variant of VARIANTS) ids.push(await t.create(['true'], variant))
    }
    for (const run of RUNS) {
      const before = first.map((id) => prepare(id, run))
      t.engine.startTemplates.forget()
      for (const [index, variant] of VARIANTS.entries()) {
        const one = prepare(first[index] ?? '', run)
        const other = prepare(second[index] ?? '', run)
        const about = JSON.stringify({ variant, run })
        assert.deepEqual(before[index]?.prepared.program.message, before[index]?.expected, about)
        assert.deepEqual(one.prepared.program.message, one.expected, about)
        assert.deepEqual(other.prepared.program.message, other.expected, about)
        const isFromTemplate = other.prepared.resources === one.prepared.resources
        assert.equal(isFromTemplate, variant.isAlone !== false, about)
        assert.equal(other.prepared.program.runtimeDir, programDir(other.prepared))
      }
    }
  })

  test('has the operations of its own network', async () => {
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => t.create(['true'])))
    const endpoints = (n: number, count: number): EndpointOps[] =>
      Array.from({ length: count }, () => ({
        hostOps: [netlink('host', n), netlink('host', n, n)],
        childOps: [netlink('child', n, n, n)],
        forwards: [],
      }))
    const [run] = RUNS
    assert.ok(run !== undefined)
    for (const [id, n, count] of [
      [a, 1, 1],
      [b, 2, 1],
      [c, 3, 2],
      [a, 4, 1],
    ] as const) {
      const { prepared, expected } = prepare(id ?? '', run, endpoints(n, count))
      assert.deepEqual(prepared.program.message, expected)
    }
  })

  test('follows the files of the container and the configuration of the engine', async () => {
    const [run] = RUNS
    assert.ok(run !== undefined)
    const one = await t.create(['true'])
    const other = await t.create(['true'])
    prepare(one, run)
    const { upperDir } = getContainer(t.engine, other)
    mkdirSync(join(upperDir, 'etc'), { recursive: true })
    writeFileSync(join(upperDir, 'etc/passwd'), 'root:x:0:0::/elsewhere:/bin/sh\n')
    const moved = prepare(other, run)
    assert.deepEqual(moved.prepared.program.message, moved.expected)
    assert.ok(moved.expected.includes('HOME=/elsewhere'))

    const before = prepare(one, run).expected
    reconfigureEngine(t.engine, { ...t.engine.config, noNewPrivileges: true }, {})
    const after = prepare(one, run)
    assert.deepEqual(after.prepared.program.message, after.expected)
    assert.notDeepEqual(after.expected, before)
    reconfigureEngine(t.engine, { ...t.engine.config, noNewPrivileges: false }, {})
  })

  test('of a container runs as that container, and fails with the same words', async () => {
    const show = ['sh', '-c', 'hostname; echo $HOSTNAME; cat /etc/hostname; cat /proc/1/cgroup']
    // Where the tests run in a container, its cgroup is a parent of all.
    const [outer = ''] = readFileSync('/proc/self/cgroup', 'utf8').match(/[0-9a-f]{64}/) ?? []
    for (let i = 0; i < 3; i++) {
      const { id, stdout, exitCode } = await t.run(show)
      assert.equal(exitCode, 0)
      assert.ok(stdout.startsWith(`${id.slice(0, 12)}\n`.repeat(3)), stdout)
      const seen = new Set(stdout.match(/[0-9a-f]{64}/g))
      assert.deepEqual(
        [...seen].filter((other) => other !== id && other !== outer),
        [],
      )
    }
    const errors = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const id = await t.create(['/absent'])
      await assert.rejects(startContainer(t.engine, id), (error: Error) => {
        errors.add(error.message.replaceAll(id, 'ID'))
        return true
      })
    }
    assert.equal(errors.size, 1)
    assert.match([...errors].join(), /\/absent/)
  })

  test('looks at a volume each time', async () => {
    const [run] = RUNS
    assert.ok(run !== undefined)
    await createVolume(t.engine, { name: 'looked-at' })
    const hostConfig = { Binds: ['looked-at:/v'] }
    const [one, other] = [
      await t.create(['true'], { hostConfig }),
      await t.create(['true'], { hostConfig }),
    ]
    const first = prepare(one, run).prepared
    const second = prepare(other, run)
    assert.notEqual(second.prepared.resources, first.resources)
    assert.deepEqual(second.prepared.program.message, second.expected)
  })
})

function programDir({ program }: PreparedStart): string | undefined {
  const [first] = program.program()
  return first?.op === 'runtime_dir' ? first.path : undefined
}
