import type { Dirent } from 'node:fs'
import { readdirSync, readFileSync } from 'node:fs'
import { run } from './run.ts'

/** What a daemon's traces on the host are known by. */
export interface LeakMarks {
  /** Directory that holds data root, exec root and socket. */
  readonly root: string
  /** Name of the cgroup that the daemon makes in every hierarchy, without slash. */
  readonly cgroup: string
  /** Name of the bridge; also the beginning of nothing else on the host. */
  readonly bridge: string
  /** `NAME=value` in the environment of the daemon and of what it starts. */
  readonly environment: string
}

/** Everything on the host that still bears the marks: one readable line each. Empty when all is clean. */
export async function findLeaks(marks: LeakMarks): Promise<string[]> {
  return [
    ...markedProcesses(marks),
    ...mounts(marks.root),
    ...cgroupDirectories(marks.cgroup).map((path) => `cgroup ${path}`),
    ...links(marks.bridge),
    ...(await firewallTables(marks.bridge)),
  ]
}

function markedProcesses(marks: LeakMarks): string[] {
  const found: string[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    // Only marks that nobody else can bear: what is found here may be killed. Not mount tables: a mount in the host's own
    // namespace is in the table of every process of the machine.
    const isMarked =
      read(`/proc/${pid}/environ`).split('\0').includes(marks.environment) ||
      new RegExp(`:/(.*/)?${marks.cgroup}(/|$)`, 'm').test(read(`/proc/${pid}/cgroup`))
    // A process that has exited since it was listed, or a zombie of somebody else, is no leak.
    if (isMarked && !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`))) {
      found.push(`process ${pid} (${command.slice(0, 120)})`)
    }
  }
  return found
}

function mounts(root: string): string[] {
  return read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line.includes(`${root}/`))
    .map((line) => `mount ${line}`)
}

/** Directories in every cgroup hierarchy whose name begins with `name`. */
export function cgroupDirectories(name: string): string[] {
  const found: string[] = []
  for (const line of read('/proc/self/mountinfo').split('\n')) {
    // proc_pid_mountinfo(5): the type comes after the " - " separator.
    const [left = '', right = ''] = line.split(' - ')
    if (!/^cgroup2? /.test(right)) continue
    found.push(...namedDirectories(left.split(' ')[4] ?? '', name, 3))
  }
  return [...new Set(found)]
}

function namedDirectories(directory: string, name: string, depth: number): string[] {
  let entries: Dirent[]
  try {
    entries = readdirSync(directory, { withFileTypes: true })
  } catch {
    return []
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const path = `${directory}/${entry.name}`
      if (entry.name.startsWith(name)) return [path]
      return depth > 1 ? namedDirectories(path, name, depth - 1) : []
    })
}

function links(bridge: string): string[] {
  return readdirSync('/sys/class/net')
    .filter((name) => name === bridge || readLinkMaster(name) === bridge)
    .map((name) => `network device ${name}`)
}

function readLinkMaster(name: string): string | undefined {
  return /^INTERFACE=(.*)$/m.exec(read(`/sys/class/net/${name}/master/uevent`))?.[1]
}

/** A table that speaks of the bridge, whatever its name. */
async function firewallTables(bridge: string): Promise<string[]> {
  const result = await run(['nft', 'list', 'ruleset']).catch(() => undefined)
  if (result === undefined || result.code !== 0) return []
  return result.stdout
    .split(/^(?=table )/m)
    .filter((table) => table.includes(bridge))
    .map((table) => `nft ${table.split('\n')[0]}`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // gone, or not ours to read
  }
}
