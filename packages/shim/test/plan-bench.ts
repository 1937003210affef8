/** Runs runtime-spec documents for tests: compiled by `compileStart`, on an overlay over a busybox root. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  compileSeccomp,
  type HostFacts,
  prepareCgroupParent,
  readHostFacts,
  removeCgroup,
} from '@ctr/linux'
import {
  DEFAULT_CAPABILITIES,
  DEFAULT_READONLY_PATHS,
  defaultDeviceRules,
  defaultMounts,
  defaultNamespaces,
  defaultSeccomp,
  maskedPaths,
  newId,
  type RuntimeProcess,
  type RuntimeSpec,
} from '@ctr/oci'
import {
  compileExec,
  compileStart,
  type ExitRecord,
  type ShimConnection,
  Spawner,
  type StartInput,
} from '../src/index.ts'

export interface Change {
  /** Changes the default spec in place. */
  readonly spec?: (spec: RuntimeSpec) => void
  readonly input?: (input: StartInput) => StartInput
}

export interface Outcome {
  readonly exit: ExitRecord
  readonly stdout: string
  readonly stderr: string
  readonly warnings: readonly string[]
}

export class PlanBench implements AsyncDisposable {
  readonly dir: string
  readonly host: HostFacts
  readonly spawner: Spawner
  readonly cgroupParent: string

  private constructor(dir: string, spawner: Spawner) {
    this.dir = dir
    this.spawner = spawner
    this.host = readHostFacts()
    this.cgroupParent = `/ctr-plan-${process.pid}`
  }

  static async make(): Promise<PlanBench> {
    const dir = await mkdtemp(join(tmpdir(), 'ctr-plan-'))
    await makeBusybox(join(dir, 'image'))
    for (const name of ['empty', 'rootfs', 'c', 'x']) await mkdir(join(dir, name))
    return new PlanBench(dir, await Spawner.start({ socketPath: join(dir, 'spawner.sock') }))
  }

  defaultSpec(args: readonly string[]): RuntimeSpec {
    const capabilities = [...DEFAULT_CAPABILITIES]
    return {
      ociVersion: '1.2.0',
      process: {
        args: [...args],
        env: ['PATH=/bin', 'HOME=/root'],
        cwd: '/',
        user: { uid: 0, gid: 0 },
        capabilities: {
          bounding: capabilities,
          effective: capabilities,
          permitted: capabilities,
        },
      },
      root: { path: 'rootfs' },
      hostname: 'plan',
      mounts: defaultMounts(),
      linux: {
        namespaces: defaultNamespaces(),
        maskedPaths: maskedPaths(),
        readonlyPaths: [...DEFAULT_READONLY_PATHS],
        resources: { devices: defaultDeviceRules() },
        seccomp: defaultSeccomp({
          capabilities,
          arch: this.host.arch,
          kernel: this.host.kernel,
        }),
      },
    }
  }

  /** Everything for one start; directories are made. */
  async input(args: readonly string[], change: Change = {}): Promise<StartInput> {
    const containerId = newId()
    const base = join(this.dir, 'c', containerId.slice(0, 24))
    for (const name of ['run', 'upper', 'work']) await mkdir(join(base, name), { recursive: true })
    const spec = this.defaultSpec(args)
    change.spec?.(spec)
    const { seccomp } = spec.linux ?? {}
    const input: StartInput = {
      spec,
      containerId,
      runtimeDir: join(base, 'run'),
      rootfs: {
        kind: 'overlay',
        base: this.dir,
        lower: ['image'],
        upper: join(base, 'upper'),
        work: join(base, 'work'),
        mountpoint: join(this.dir, 'rootfs'),
      },
      log: { path: join(base, 'log'), maxBytes: 0, maxFiles: 1, compress: false, extra: '' },
      stdio: { stdin: false, tty: false, stdinOnce: false, rows: 0, columns: 0 },
      expectAttach: 0,
      waitForStart: false,
      seccompFilter: seccomp === undefined ? undefined : compileSeccomp(seccomp),
      network: { hostOps: [], childOps: [], forwards: [] },
      cgroupParent: this.cgroupParent,
      cpuset: prepareCgroupParent(this.host.cgroups, this.cgroupParent),
    }
    return change.input?.(input) ?? input
  }

  async start(args: readonly string[], change?: Change): Promise<Running> {
    const input = await this.input(args, change)
    const connection = await this.spawner.run(compileStart(input, this.host))
    return new Running(this, input, connection)
  }

  /** Runs `sh -c script` to its end. */
  async run(script: string, change?: Change): Promise<Outcome> {
    await using running = await this.start(['sh', '-c', script], change)
    return await running.outcome()
  }

  /** What the script prints, which must succeed. */
  async lines(script: string, change?: Change): Promise<string[]> {
    const { exit, stdout, stderr } = await this.run(script, change)
    assert.equal(exit.exitCode, 0, stderr)
    return stdout.trimEnd().split('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spawner[Symbol.asyncDispose]()
    await removeCgroup(this.host.cgroups, this.cgroupParent)
    await rm(this.dir, { recursive: true })
  }
}

export class Running implements AsyncDisposable {
  readonly bench: PlanBench
  readonly input: StartInput
  readonly connection: ShimConnection

  constructor(bench: PlanBench, input: StartInput, connection: ShimConnection) {
    this.bench = bench
    this.input = input
    this.connection = connection
  }

  /** When it has ended: what it wrote, and how. */
  async outcome(): Promise<Outcome> {
    const exit = await this.connection.exited
    const path = this.input.log?.path
    const records = path === undefined ? [] : readLog(path)
    const text = (stream: string): string =>
      records
        .filter((record) => record.stream === stream)
        .map((record) => record.log)
        .join('')
    return {
      exit,
      stdout: text('stdout'),
      stderr: text('stderr'),
      warnings: this.connection.warnings.map(String),
    }
  }

  async exec(args: readonly string[], change: Partial<RuntimeProcess> = {}): Promise<ExitRecord> {
    const runtimeDir = join(this.bench.dir, 'x', newId().slice(0, 24))
    await mkdir(runtimeDir)
    const { spec, containerId, cgroupParent, seccompFilter } = this.input
    const { process } = spec
    if (process === undefined) throw new Error('no process')
    const program = compileExec(
      {
        containerId,
        containerPid: this.connection.pid,
        containerStartTime: this.connection.startTime,
        spec,
        process: { ...process, ...change, args: [...args] },
        runtimeDir,
        stdio: this.input.stdio,
        expectAttach: 0,
        seccompFilter,
        cgroupParent,
      },
      this.bench.host,
    )
    const connection = await this.bench.spawner.run(program)
    return await connection.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.signal(9).catch(() => undefined) // it may have ended
    await this.connection.exited
    this.connection.close()
  }
}

interface LogRecord {
  readonly log: string
  readonly stream: string
}

function readLog(path: string): LogRecord[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line): LogRecord => JSON.parse(line))
}

async function makeBusybox(root: string): Promise<void> {
  for (const name of ['bin', 'etc', 'tmp', 'root']) {
    await mkdir(join(root, name), { recursive: true })
  }
  await copyFile('/bin/busybox', join(root, 'bin/busybox'))
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n')
  for (const applet of applets.filter((name) => name !== '' && name !== 'busybox')) {
    await symlink('busybox', join(root, 'bin', applet))
  }
}
