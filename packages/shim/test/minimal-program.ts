/** A hand-written program: busybox in a directory, six namespaces, /proc and /dev, and nothing of OCI. */
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Spawner } from '../src/index.ts'
import { type Op, type Program, STDIO_STDIN, STDIO_STDIN_ONCE, STDIO_TTY } from '../src/ops.ts'

const CLONE_NEWNS = 0x00020000n
const CLONE_NEWCGROUP = 0x02000000n
const CLONE_NEWUTS = 0x04000000n
const CLONE_NEWIPC = 0x08000000n
const CLONE_NEWPID = 0x20000000n
const CLONE_NEWNET = 0x40000000n
export const NAMESPACES: bigint =
  CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
const MS_NOSUID = 2n
const MS_NODEV = 4n
const MS_NOEXEC = 8n
const MS_REC = 16384n
const MS_PRIVATE = 1n << 18n
const MS_STRICTATIME = 1n << 24n
const S_IFCHR = 0o020000

/** Temporary directory with a root filesystem, a log and runtime directories, and a spawner. */
export class Bench implements AsyncDisposable {
  readonly dir: string
  readonly spawner: Spawner
  readonly spawnerLog: string[]
  #count = 0

  private constructor(dir: string, spawner: Spawner, spawnerLog: string[]) {
    this.dir = dir
    this.spawner = spawner
    this.spawnerLog = spawnerLog
  }

  static async make(): Promise<Bench> {
    const dir = await mkdtemp(join(tmpdir(), 'ctr-shim-'))
    await chmod(dir, 0o711) // a mapped root must reach the image
    await makeRoot(join(dir, 'image'))
    await mkdir(join(dir, 'rootfs'))
    const binary = process.env['CTR_SHIM_BINARY']
    const log: string[] = []
    const spawner = await Spawner.start({
      socketPath: join(dir, 'spawner.sock'),
      log: (line) => log.push(line),
      ...(binary === undefined ? {} : { binary }),
    })
    return new Bench(dir, spawner, log)
  }

  /** A fresh runtime directory. */
  async runtimeDir(): Promise<string> {
    const dir = join(this.dir, `run-${this.#count++}`)
    await mkdir(dir)
    return dir
  }

  get logPath(): string {
    return join(this.dir, 'log')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spawner[Symbol.asyncDispose]()
    for (let i = 0; i < this.#count; i++) await killShim(join(this.dir, `run-${i}`))
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** A test that failed may have left one. */
async function killShim(runtimeDir: string): Promise<void> {
  const pid = await readFile(join(runtimeDir, 'shim.pid'), 'utf8').catch(() => undefined)
  if (pid !== undefined && existsSync(`/proc/${pid}`)) process.kill(Number(pid), 'SIGKILL')
}

async function makeRoot(root: string): Promise<void> {
  for (const dir of ['bin', 'proc', 'dev', 'tmp', 'etc']) {
    await mkdir(join(root, dir), { recursive: true })
  }
  await copyFile('/bin/busybox', join(root, 'bin/busybox'))
  for (const applet of [
    'sh',
    'cat',
    'echo',
    'sleep',
    'ls',
    'id',
    'stty',
    'tty',
    'kill',
    'env',
    'dd',
    'yes',
    'head',
    'seq',
    'touch',
    'stat',
    'readlink',
    'hostname',
    'umask',
    'grep',
    'printf',
    'md5sum',
    'nc',
    'setsid',
  ]) {
    await symlink('busybox', join(root, 'bin', applet))
  }
}

export interface MinimalOptions {
  readonly runtimeDir: string
  readonly args: readonly string[]
  readonly env?: readonly string[]
  readonly stdin?: boolean
  readonly stdinOnce?: boolean
  readonly tty?: { rows: number; columns: number }
  readonly expectAttach?: number
  readonly log?: Partial<Extract<Op, { op: 'log_json' }>>
  readonly namespaces?: bigint
  /** Before clone. */
  readonly hostOps?: readonly Op[]
  /** After clone, before the child's first operation. */
  readonly afterClone?: readonly Op[]
  /** In root, before pivot_root. */
  readonly rootOps?: readonly Op[]
  /** After pivot_root, before exec. */
  readonly processOps?: readonly Op[]
  readonly rootPath?: string
  readonly overlay?: { lower: string; upper: string; work: string }
}

export function minimalProgram(bench: Bench, o: MinimalOptions): Program {
  const target = join(bench.dir, 'rootfs')
  return [
    { op: 'runtime_dir', path: o.runtimeDir },
    {
      op: 'log_json',
      path: bench.logPath,
      max_bytes: 0n,
      max_files: 1,
      flags: 0,
      extra: '',
      ...o.log,
    },
    {
      op: 'stdio',
      flags:
        (o.stdin === true || o.tty !== undefined ? STDIO_STDIN : 0) |
        (o.tty === undefined ? 0 : STDIO_TTY) |
        (o.stdinOnce === true ? STDIO_STDIN_ONCE : 0),
      uid: 0,
      gid: 0,
      rows: o.tty?.rows ?? 0,
      columns: o.tty?.columns ?? 0,
    },
    ...(o.expectAttach === undefined
      ? []
      : [{ op: 'expect_attach', clients: o.expectAttach } as const]),
    ...(o.hostOps ?? []),
    { op: 'clone', flags: o.namespaces ?? NAMESPACES, cgroup: '' },
    ...(o.afterClone ?? []),
    { op: 'propagation', path: '/', flags: MS_PRIVATE | MS_REC },
    o.overlay === undefined
      ? { op: 'bind_root', source: o.rootPath ?? join(bench.dir, 'image'), target }
      : {
          op: 'overlay',
          base: bench.dir,
          target,
          flags: 0n,
          data: `lowerdir=${o.overlay.lower},upperdir=${o.overlay.upper},workdir=${o.overlay.work}`,
        },
    { op: 'root', path: target },
    {
      op: 'mount',
      type: 'proc',
      source: 'proc',
      target: '/proc',
      flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
      data: '',
    },
    {
      op: 'mount',
      type: 'tmpfs',
      source: 'tmpfs',
      target: '/dev',
      flags: MS_NOSUID | MS_STRICTATIME,
      data: 'mode=755,size=65536k',
    },
    {
      op: 'mount',
      type: 'devpts',
      source: 'devpts',
      target: '/dev/pts',
      flags: MS_NOSUID | MS_NOEXEC,
      data: 'newinstance,ptmxmode=0666,mode=0620,gid=5',
    },
    {
      op: 'mknod',
      path: '/dev/null',
      type: S_IFCHR,
      mode: 0o666,
      major: 1,
      minor: 3,
      uid: 0,
      gid: 0,
    },
    {
      op: 'mknod',
      path: '/dev/zero',
      type: S_IFCHR,
      mode: 0o666,
      major: 1,
      minor: 5,
      uid: 0,
      gid: 0,
    },
    {
      op: 'mknod',
      path: '/dev/tty',
      type: S_IFCHR,
      mode: 0o666,
      major: 5,
      minor: 0,
      uid: 0,
      gid: 0,
    },
    { op: 'symlink', target: 'pts/ptmx', path: '/dev/ptmx' },
    { op: 'symlink', target: '/proc/self/fd', path: '/dev/fd' },
    { op: 'symlink', target: '/proc/self/fd/1', path: '/dev/stdout' },
    ...(o.tty === undefined ? [] : [{ op: 'console' } as const]),
    ...(o.rootOps ?? []),
    { op: 'pivot_root' },
    { op: 'sethostname', name: 'bench' },
    { op: 'setsid' },
    { op: 'umask', mask: 0o022 },
    { op: 'chdir', path: '/' },
    ...(o.processOps ?? []),
    { op: 'exec', args: o.args, env: o.env ?? ['PATH=/bin', 'HOME=/'] },
  ]
}

/** The records of a json-file log, in order. */
export function parseLog(text: string): { log: string; stream: string; time: string }[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { log: string; stream: string; time: string })
}
