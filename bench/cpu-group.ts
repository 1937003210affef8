import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const HIERARCHIES = '/sys/fs/cgroup'
const ACCOUNTING = '/sys/fs/cgroup/cpuacct'
const SCHEDULING = '/sys/fs/cgroup/cpu'
/** TMPFS_MAGIC, statfs(2) */
export const TMPFS = 0x01021994
/** Weight of everything measured against the rest of the machine, where 1024 is the standard. */
const SHARES = 200_000

/**
 * One cgroup for each engine, below /ctrbench: its daemon, its helpers and (by `--cgroup-parent`) its containers. It tells
 * how much CPU the engine has used whatever else the machine does, and keeps others from disturbing much. cgroup v1 only;
 * elsewhere there is no figure.
 */
export class CpuGroup {
  readonly name: string
  readonly #roots: readonly string[]
  /** What was in {@link HIERARCHIES} before. */
  readonly #entries: ReadonlySet<string>

  constructor(engine: string) {
    this.name = `/ctrbench/${engine}`
    this.#entries = new Set(readdirSync(HIERARCHIES))
    this.#roots = [ACCOUNTING, SCHEDULING].filter((root) => existsSync(join(root, 'tasks')))
    for (const root of this.#roots) mkdirSync(join(root, this.name, 'daemon'), { recursive: true })
    const shares = join(SCHEDULING, 'ctrbench/cpu.shares')
    if (existsSync(shares)) writeFileSync(shares, String(SHARES))
  }

  /** Where its containers go. */
  get containers(): string {
    return `${this.name}/c`
  }

  /** Moves this process, and so what it starts, here. */
  enter(): void {
    for (const root of this.#roots) {
      writeFileSync(join(root, this.name, 'daemon/cgroup.procs'), String(process.pid))
    }
  }

  /** Back to where everything is by default. */
  leave(): void {
    for (const root of this.#roots) writeFileSync(join(root, 'cgroup.procs'), String(process.pid))
  }

  /** What runs a command within the group. */
  get prefix(): string[] {
    const enter = this.#roots.map((root) => `echo 0 > ${root}${this.name}/daemon/tasks`)
    return ['sh', '-c', [...enter, 'exec "$@"'].join('; '), 'sh']
  }

  /** The file that tells the nanoseconds of {@link usedMs}; there only with cgroup v1. */
  get usage(): string {
    return join(ACCOUNTING, this.name, 'cpuacct.usage')
  }

  /** CPU of the daemon, its helpers and its containers so far; NaN where it is not known. */
  usedMs(): number {
    try {
      return Number(readFileSync(this.usage, 'utf8')) / 1e6
    } catch {
      return Number.NaN
    }
  }

  /**
   * In every hierarchy: engines keep the empty parents of their containers, podman that of its monitors. Podman also makes plain
   * directories where it expects hierarchies that are not mounted.
   */
  remove(): void {
    for (const root of [HIERARCHIES, ...directories().map((name) => join(HIERARCHIES, name))]) {
      for (const path of ['c/conmon', 'c', 'daemon', '.', '..'])
        removeEmpty(join(root, this.name, path))
    }
    // Where the hierarchies have a tmpfs around them: else these are groups, and perhaps somebody else's.
    if (statfsSync(HIERARCHIES).type !== TMPFS) return
    for (const name of directories()) {
      if (!this.#entries.has(name)) removeEmpty(join(HIERARCHIES, name))
    }
  }
}

function directories(): string[] {
  return readdirSync(HIERARCHIES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // Not there, or another engine's is still in it.
  }
}
