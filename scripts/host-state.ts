import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { run } from '@ctr/testkit'

/** What an engine could leave on a host, as one line each. */
export async function hostResources(): Promise<Set<string>> {
  const mounts = read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => /\/ctr|overlay/.test(line))
    .map((line) => `mount ${line.split(' ').slice(3, 5).join(' ')}`)
  const links = readdirSync('/sys/class/net').map((name) => `network device ${name}`)
  const tables =
    (await run(['nft', 'list', 'tables']).catch(() => undefined))?.stdout.trim().split('\n') ?? []
  const directories = readdirSync('/tmp')
    .filter((name) => name.startsWith('ctr-'))
    .map((name) => `directory /tmp/${name}`)
  return new Set([
    ...mounts,
    ...links,
    ...tables.filter((line) => line !== '').map((line) => `nft ${line}`),
    ...directories,
    ...cgroups(),
  ])
}

export function hostDifference(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [...after].filter((line) => !before.has(line))
}

/**
 * Processes with `CTR_TEST_RUN=<mark>` in their environment; with no mark, the ctrd and ctr-shim processes of other runs
 * and of users.
 */
export function markedProcesses(mark: string | undefined): string[] {
  const found: string[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    const environment = read(`/proc/${pid}/environ`).split('\0')
    const isWanted =
      mark === undefined
        ? /apps\/daemon\/src\/main\.ts|ctr-shim|dockerd/.test(command)
        : environment.includes(`CTR_TEST_RUN=${mark}`)
    if (isWanted) found.push(`process ${pid} (${command.slice(0, 150)})`)
  }
  return found
}

/** They stay, empty, for the next container, as /docker does. */
const LASTING_PARENTS = ['ctr', 'ctr-runtime']

/** Up to two levels deep in each hierarchy: names with `ctr` or `ctt`, as all those of the tests are, and what is in such a group. */
function cgroups(): string[] {
  const points = read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
  return points
    .flatMap((point) => {
      const first = directories(point).map((name) => `${point}/${name}`)
      return [
        ...first.filter((path) => !LASTING_PARENTS.includes(basename(path))),
        ...first.flatMap((path) => directories(path).map((name) => `${path}/${name}`)),
      ].filter((path) => /ct[rt]/.test(path.slice(point.length)))
    })
    .map((path) => `cgroup ${path}`)
}

function directories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return [] // it has gone meanwhile
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
