import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run, Session, waitFor } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

// `run --explain` says what a start will do; strace(1) says what it did.
const skip = requires({ root: true, commands: ['strace'] })
const ctrd = useDaemon({ bridge: false })

interface Operation {
  readonly side: string
  readonly name: string
  /** As printed; strings are JSON. */
  readonly args: string
  readonly texts: readonly string[]
  /** The failure of an operation marked with `?` is a warning; one marked with `&` runs beside the child's before it. */
  readonly line: string
}

function parsePlan(text: string): Operation[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => {
    const match = /^ *\d+ (host|child) +(\w+)\??&?\((.*)\)$/.exec(line)
    assert.ok(match, `not a line of a plan: ${line}`)
    const [, side = '', name = '', args = ''] = match
    const texts = [...args.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(
      ([json]) => JSON.parse(json) as string,
    )
    return { side, name, args, texts, line }
  })
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

/** As strace prints a string. */
function quoted(text: string | undefined): string {
  return escaped(JSON.stringify(text ?? ''))
}

function afterSlash(path: string | undefined): string {
  return (path ?? '').slice((path ?? '').lastIndexOf('/') + 1)
}

/** `MS_NOSUID|MS_NODEV` in any order. */
function flagSet(text: string): string {
  return text
    .split('|')
    .map((word) => `(?=[^,})]*\\b${word}\\b)`)
    .join('')
}

function word(args: string, pattern: RegExp): string {
  return pattern.exec(args)?.[1] ?? ''
}

/** The system calls that an operation must show, in this order. Empty: it is bookkeeping, or depends on the image. */
function callsOf({ name, args, texts }: Operation, before: Operation | undefined): string[] {
  const [first, second, third] = texts
  switch (name) {
    case 'runtime_dir':
      return [`openat\\(AT_FDCWD, ${quoted(first)}, .*O_DIRECTORY`, 'bind\\(.*AF_UNIX', 'listen\\(']
    case 'log_json':
      return [`openat\\(AT_FDCWD, ${quoted(first)}, .*O_CREAT`]
    case 'stdio':
      return ['pipe2\\(']
    case 'cgroup':
      return [`mkdir\\(${quoted(first)}, 0755`]
    case 'write': {
      const write = `write\\(\\d+, ${quoted(second)}`
      // One descriptor for all that goes to one file.
      if (before?.name === 'write' && before.texts[0] === first) return [write]
      return [`openat\\(AT_FDCWD, ${quoted(first)}, .*O_WRONLY`, write]
    }
    case 'oom_watch':
      return [`openat\\(AT_FDCWD, "${escaped(first ?? '')}/memory\\.(oom_control|events)"`]
    case 'device_bpf':
      return ['bpf\\(BPF_PROG_LOAD', 'bpf\\(BPF_PROG_ATTACH']
    case 'clone':
      return [`clone3\\(\\{flags=${flagSet(word(args, /^([A-Z_|]+)/))}`]
    case 'netlink':
      return ['socket\\(AF_NETLINK', 'sendto\\(']
    case 'keyring':
      return [`keyctl\\(KEYCTL_JOIN_SESSION_KEYRING, ${quoted(first)}`]
    case 'oom_score_adj':
      return ['openat\\(.*oom_score_adj"', `write\\(\\d+, ${quoted(first)}`]
    case 'propagation':
      return [`mount\\(NULL, ${quoted(first)}, NULL, ${flagSet(word(args, /, ([A-Z_|]+)$/))}`]
    case 'overlay':
      return [`mount\\("overlay", ${quoted(second)}, "overlay", .*${quoted(third).slice(0, -1)}`]
    case 'root':
      return [`openat\\(AT_FDCWD, ${quoted(first)}, .*O_PATH`]
    case 'mount': {
      const flags = word(args, /, ([A-Z_|]+|0), "[^"]*"$/)
      // A remount has neither; strace shows the pointers.
      const source = first === '' ? '[^,]*' : quoted(first)
      const type = third === '' ? '[^,]*' : quoted(third)
      const set = flags === '0' ? '0' : flagSet(flags)
      // In a directory that is open still the target is made by its name.
      const target = `openat2\\(\\d+, ${quoted(second)}|mkdirat\\(\\d+, ${quoted(afterSlash(second))}`
      return [target, `mount\\(${source}, "[^"]*", ${type}, ${set}`]
    }
    case 'bind':
      return [`open_tree\\(AT_FDCWD, ${quoted(first)}, OPEN_TREE_CLONE`, 'move_mount\\(']
    case 'mknod': {
      const [, mode = '', major = '', minor = ''] =
        /(S_IF\w+\|\d+), makedev\((\d+), (\d+)\)/.exec(args) ?? []
      const hex = (text: string): string => (text === '0' ? '0' : `0x${Number(text).toString(16)}`)
      const device = `${hex(major)}, ${hex(minor)}`
      return [
        `mknodat\\(\\d+, ${quoted(afterSlash(first))}, ${escaped(mode)}, makedev\\(${device}\\)`,
      ]
    }
    case 'symlink':
      return [`symlinkat\\(${quoted(first)}, \\d+, ${quoted(afterSlash(second))}\\)`]
    case 'readonly_root':
      return ['mount.*MS_REMOUNT|mount_setattr\\(.*MOUNT_ATTR_RDONLY']
    case 'pivot_root':
      return ['pivot_root\\(', 'umount2\\(']
    case 'setsid':
      return ['setsid\\(\\)']
    case 'sethostname':
      return [`sethostname\\(${quoted(first)}`]
    case 'sysctl':
      return [
        `openat\\(AT_FDCWD, "/proc/sys/${escaped((first ?? '').replaceAll('.', '/'))}"`,
        `write\\(\\d+, ${quoted(second)}`,
      ]
    case 'readonly':
    case 'mask':
      return [`openat2\\(\\d+, ${quoted(first)}`]
    case 'umask':
      return [`umask\\(${args}\\)`]
    case 'rlimit':
      return [`prlimit64\\(0, RLIMIT_NOFILE, \\{rlim_cur=${word(args, /^\d+, (\d+)/)}`]
    case 'chdir':
      return [`chdir\\(${quoted(first)}\\)`]
    case 'no_new_privs':
      return ['prctl\\(PR_SET_NO_NEW_PRIVS, 1']
    case 'seccomp':
      return [`seccomp\\(SECCOMP_SET_MODE_FILTER, .*len=${word(args, /^(\d+) instructions/)}\\b`]
    case 'bounding':
      return ['prctl\\(PR_CAPBSET_DROP']
    case 'user': {
      const [, uid = '', gid = ''] = /uid (\d+), gid (\d+)/.exec(args) ?? []
      return [
        'setgroups\\(',
        `setresgid\\(${gid}, ${gid}, ${gid}\\)`,
        `setresuid\\(${uid}, ${uid}, ${uid}\\)`,
      ]
    }
    case 'capabilities':
      return ['capset\\(']
    case 'exec':
      return [`execve\\("[^"]*/${escaped(afterSlash(first))}", \\[${quoted(first)}`]
    default:
      return []
  }
}

/** Call lines of one process, in order; `clone3` shows who is the container's. */
function parseTrace(text: string): { host: string[]; child: string[] } {
  const lines = text.split('\n').map((line) => /^(\d+) +(.*)$/.exec(line)?.slice(1) ?? ['', ''])
  const host = lines.find(([, call]) => call?.startsWith('clone3('))?.[0]
  assert.ok(host, 'no clone3 in the trace')
  const answer = lines.find(([pid, call]) => pid === host && /clone3.*= \d+$/.test(call ?? ''))
  const child = /= (\d+)$/.exec(answer?.[1] ?? '')?.[1]
  const of = (wanted: string | undefined): string[] =>
    lines.filter(([pid]) => pid === wanted).map(([, call]) => call ?? '')
  return { host: of(host), child: of(child) }
}

function holdsNamespaces(pid: string): boolean {
  try {
    const fds = readdirSync(`/proc/${pid}/fd`)
    return fds.some((fd) => /^(net|ipc):/.test(readlinkSync(`/proc/${pid}/fd/${fd}`)))
  } catch {
    return true // something has just been closed
  }
}

/** Traces the spawner, and with it every shim that it starts, while `work` runs. */
async function traced(work: () => Promise<unknown>): Promise<string> {
  const file = `${ctrd().root}/trace`
  let pids: string[] = []
  // And the shim of the next start, which is there already; those of containers before end first.
  await waitFor('the spawner and its next shim', async () => {
    const { stdout } = await run(['pgrep', '-f', `ctr-shim spawner ${ctrd().execRoot}/`])
    pids = stdout.trim().split('\n')
    // Namespaces made ahead are given up after a second; then clone(2) makes them.
    return pids.length <= 2 && !pids.some(holdsNamespaces)
  })
  const command = ['strace', '-f', '-s', '4096', '-o', file, ...pids.flatMap((pid) => ['-p', pid])]
  await using strace = new Session(command)
  for (const pid of pids) await strace.waitFor(new RegExp(`Process ${pid} attached`))
  await work()
  await waitFor('the end of the container', () =>
    /\+\+\+ exited with 0/.test(readFileSync(file, 'utf8')),
  )
  strace.kill('SIGINT')
  await strace.exited
  assert.ok(existsSync(file))
  return readFileSync(file, 'utf8')
}

// biome-ignore format: as on a command line
const FLAGS = [
  '--name', 'same', '--hostname', 'same', '--network', 'none', '--read-only', '-m', '50m',
  '--pids-limit', '50', '--ulimit', 'nofile=1024', '-w', '/tmp', '-u', '1000:1000',
  '--tmpfs', '/run', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges',
]

test('the system calls of a run are those of its plan, in this order', { skip }, async () => {
  const command = [...FLAGS, 'busybox', 'true']
  const plan = parsePlan(await ctrd().ok(['run', '--explain', ...command]))
  const trace = await traced(() => ctrd().ok(['run', ...command]))
  // The id of the container is the only thing that cannot be the same.
  const ids = (text: string): string[] => [...new Set(text.match(/\b[0-9a-f]{64}\b/g) ?? [])]
  const [planned = ''] = ids(plan.map(({ line }) => line).join('\n'))
  const [real = ''] = ids(trace)
  const mine = trace.replaceAll(real, planned).replaceAll(real.slice(0, 24), planned.slice(0, 24))
  const calls = parseTrace(mine)

  const at = { host: 0, child: 0 }
  let checked = 0
  for (const [index, operation] of plan.entries()) {
    const side = operation.side === 'host' ? 'host' : 'child'
    for (const pattern of callsOf(operation, plan[index - 1])) {
      const expected = new RegExp(`^(?:${pattern})`)
      const found = calls[side].findIndex((call, place) => place >= at[side] && expected.test(call))
      assert.notEqual(
        found,
        -1,
        `${operation.line}\nno call like ${expected} after: ${calls[side][at[side] - 1]}`,
      )
      at[side] = found + 1
      checked++
    }
  }
  assert.ok(checked > plan.length, `${checked} calls of ${plan.length} operations`)
})

test('the calls in between are none that a plan would show', { skip }, async () => {
  const plan = parsePlan(await ctrd().ok(['run', '--explain', ...FLAGS, 'busybox', 'true']))
  const calls = parseTrace(await traced(() => ctrd().ok(['run', ...FLAGS, 'busybox', 'true'])))
  const count = (pattern: RegExp): number => calls.child.filter((call) => pattern.test(call)).length
  const operations = (...names: readonly string[]): number =>
    plan.filter(({ name }) => names.includes(name)).length
  // Mounts by mount(2): one each, and the tmpfs over each directory that is masked.
  const covers = count(/^mount\("tmpfs", "[^"]*", "tmpfs", MS_RDONLY, /)
  assert.ok(covers <= operations('mask'))
  assert.equal(
    count(/^mount\(/) - covers,
    operations('mount', 'overlay', 'propagation', 'readonly_root'),
  )
  assert.equal(count(/^mknodat\(/), operations('mknod'))
  assert.equal(count(/^symlinkat\(/), operations('symlink'))
  assert.equal(count(/^sethostname\(/), operations('sethostname'))
  assert.equal(count(/^execve\(/), 1)
  assert.equal(count(/^pivot_root\(/), 1)
})
