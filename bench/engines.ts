import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { CpuGroup, TMPFS } from './cpu-group.ts'
import { pause } from './measure.ts'

/** One engine under measurement, with roots of its own, in a network namespace of its own where it would change the host's firewall. */
export interface Engine {
  readonly name: string
  /** The command that runs `args` as its CLI, e.g. `['docker', '-H', 'unix:///…']`; undefined: no such CLI. */
  readonly cli: readonly string[]
  /** Flags that `run` needs on a machine where hard limits cannot be raised. */
  readonly runFlags: readonly string[]
  /** Docker API socket, where it has one. */
  readonly socket: string | undefined
  readonly daemonPid: number | undefined
  readonly cpu: CpuGroup
  /** Command lines of the processes that live outside a container on its behalf. */
  readonly helpers: RegExp
  restart?(): Promise<number>
  stop(): Promise<void>
}

/** An engine that is reached by the Docker API. */
export interface Served extends Engine {
  readonly socket: string
}

export function served(engines: readonly Engine[]): Served[] {
  return engines.filter((engine): engine is Served => engine.socket !== undefined)
}

/** The bridge of this engine while it is measured. */
export const CTR_BRIDGE = 'ctrbench0'

const REPOSITORY = join(import.meta.dirname, '..')

export function has(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((dir) => existsSync(join(dir, program)))
}

export function workFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ctrb-'))
}

/** Where an exec root belongs: on a tmpfs, as /run is on most machines; else below the folder. */
function execRoot(folder: string, name: string): string {
  const base = ['/run', '/dev/shm'].find((path) => statfsSync(path).type === TMPFS)
  return base === undefined ? join(folder, name, 'x') : join(base, `${basename(folder)}${name}`)
}

/** A root filesystem of one static busybox, as a directory; the same for every engine. */
export function makeRootfs(folder: string): string {
  const rootfs = join(folder, 'rootfs')
  for (const dir of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(rootfs, dir), { recursive: true })
  cpSync('/bin/busybox', join(rootfs, 'bin/busybox'), { dereference: true })
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
    .trim()
    .split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet))
  }
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\n')
  execFileSync('tar', ['-C', rootfs, '-cf', join(folder, 'rootfs.tar'), '.'])
  return rootfs
}

async function socketAnswers(path: string, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ path })
      socket.once('connect', () => {
        socket.write('GET /_ping HTTP/1.0\r\n\r\n')
      })
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    if (Date.now() > end) throw new Error(`nothing answers on ${path}`)
    await pause(5)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

export async function startCtr(folder: string): Promise<Engine> {
  const root = join(folder, 'c')
  mkdirSync(root)
  const cpu = new CpuGroup('ctr')
  const socket = join(root, 's')
  let daemon: ChildProcess
  // In a session of its own, as every daemon here: a signal from the terminal is for the benchmark, which removes their containers.
  const launch = async (): Promise<number> => {
    const begin = performance.now()
    const [shell = '', ...rest] = cpu.prefix
    daemon = spawn(
      shell,
      [
        ...rest,
        join(REPOSITORY, 'bin/ctrd'),
        '--cgroup-parent',
        cpu.containers,
        '-H',
        `unix://${socket}`,
        '--data-root',
        join(root, 'd'),
        '--exec-root',
        execRoot(folder, 'c'),
        '--pidfile',
        join(root, 'pid'),
        '--bridge',
        CTR_BRIDGE,
        '--bip',
        '10.213.7.1/24',
        '--log-level',
        'error',
      ],
      { stdio: ['ignore', 'inherit', 'inherit'], detached: true },
    )
    await socketAnswers(socket, 20_000)
    return performance.now() - begin
  }
  await launch()
  const cli = [join(REPOSITORY, 'bin/ctr'), '-H', `unix://${socket}`]
  execFileSync(
    cli[0] ?? '',
    [...cli.slice(1), 'import', join(folder, 'rootfs.tar'), 'bench:latest'],
    { stdio: 'ignore' },
  )
  return {
    name: 'ctr',
    cli,
    cpu,
    runFlags: [],
    socket,
    get daemonPid() {
      return daemon.pid
    },
    helpers: new RegExp(`ctr-shim.*${execRoot(folder, 'c')}`),
    restart: async () => {
      const gone = new Promise((resolve) => daemon.once('exit', resolve))
      daemon.kill('SIGKILL')
      await gone
      return launch()
    },
    stop: async () => {
      await end(daemon)
      cpu.remove()
    },
  }
}

/** A dockerd of its own in a network namespace of its own: its bridge and firewall rules vanish with the namespace. */
export async function startDocker(folder: string): Promise<Engine> {
  const root = join(folder, 'k')
  mkdirSync(root)
  const cpu = new CpuGroup('docker')
  const socket = join(root, 's')
  const netns = `ctrbench-${process.pid}`
  execFileSync('ip', ['netns', 'add', netns])
  execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up'])
  const launch = (): ChildProcess => {
    const [shell = '', ...rest] = cpu.prefix
    return spawn(
      shell,
      [
        ...rest,
        // not `ip netns exec`: that mounts a new /sys, which hides the cgroup mounts
        'nsenter',
        `--net=/run/netns/${netns}`,
        'dockerd',
        '--cgroup-parent',
        cpu.containers,
        '-H',
        `unix://${socket}`,
        '--data-root',
        join(root, 'd'),
        '--exec-root',
        execRoot(folder, 'k'),
        '--pidfile',
        join(root, 'pid'),
        '--bip',
        '10.213.8.1/24',
        '--live-restore',
        '--log-level',
        'error',
      ],
      { stdio: 'ignore', detached: true },
    )
  }
  let daemon = launch()
  await socketAnswers(socket, 60_000)
  const cli = ['docker', '-H', `unix://${socket}`]
  execFileSync('docker', [...cli.slice(1), 'import', join(folder, 'rootfs.tar'), 'bench:latest'], {
    stdio: 'ignore',
  })
  const pid = (): number => Number(readFileSync(join(root, 'pid'), 'utf8'))
  return {
    name: 'docker',
    cli,
    cpu,
    runFlags: [],
    socket,
    get daemonPid() {
      return pid()
    },
    helpers: new RegExp(`containerd.*${execRoot(folder, 'k')}`),
    restart: async () => {
      const gone = new Promise((resolve) => daemon.once('exit', resolve))
      process.kill(pid(), 'SIGTERM')
      await gone
      const begin = performance.now()
      daemon = launch()
      await socketAnswers(socket, 60_000)
      return performance.now() - begin
    },
    stop: async () => {
      const gone = new Promise((resolve) => daemon.once('exit', resolve))
      process.kill(pid(), 'SIGTERM')
      await gone
      // One that has found containers at its start leaves the bind mount of its root.
      spawnSync('umount', [join(root, 'd')], { stdio: 'ignore' })
      execFileSync('ip', ['netns', 'del', netns])
      cpu.remove()
    },
  }
}

export async function startPodman(folder: string): Promise<Engine> {
  const root = join(folder, 'p')
  const cpu = new CpuGroup('podman')
  const cli = [
    ...cpu.prefix,
    'podman',
    '--root',
    join(root, 'd'),
    '--runroot',
    join(root, 'r'),
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'runc',
    '--events-backend',
    'file',
  ]
  execFileSync(
    cli[0] ?? '',
    [...cli.slice(1), 'import', join(folder, 'rootfs.tar'), 'bench:latest'],
    {
      stdio: 'ignore',
    },
  )
  return {
    name: 'podman',
    cli,
    cpu,
    runFlags: [
      '--ulimit',
      'nofile=1024:4096',
      '--ulimit',
      'nproc=1024:4096',
      '--cgroup-parent',
      cpu.containers,
    ],
    socket: undefined,
    daemonPid: undefined,
    helpers: /conmon/,
    stop: async () => {
      execFileSync(cli[0] ?? '', [...cli.slice(1), 'system', 'reset', '--force'], {
        stdio: 'ignore',
      })
      cpu.remove()
    },
  }
}

/** An OCI bundle for a bare runtime; no network namespace set-up but its own empty one. */
export function makeBundle(folder: string, rootfs: string): string {
  const bundle = join(folder, 'bundle')
  mkdirSync(bundle)
  execFileSync('runc', ['spec', '-b', bundle])
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  config.process.terminal = false
  config.process.args = ['true']
  config.root.path = rootfs
  config.linux.cgroupsPath = '/ctrbench/runc'
  writeFileSync(path, JSON.stringify(config))
  return bundle
}

/** Of those that are left, if any are. A daemon that does not answer is told, and the rest of the clean-up goes on. */
export function removeContainers({ cli }: Engine): void {
  const [program = '', ...words] = cli
  const listed = spawnSync(program, [...words, 'ps', '-aq'], { encoding: 'utf8' })
  const ids = listed.stdout.split('\n').filter((id) => id !== '')
  if (listed.status !== 0) console.error(`${cli.join(' ')} ps: ${listed.stderr}`)
  if (ids.length > 0) spawnSync(program, [...words, 'rm', '-f', ...ids], { stdio: 'ignore' })
}

export function removeFolder(folder: string): void {
  for (const name of ['c', 'k']) rmSync(execRoot(folder, name), { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
}
