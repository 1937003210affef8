import { constants, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { type CriuOptions, type PageServer, parsePageServer } from '@ctr/shim/criu'
import { invalidArgument } from './errors.ts'
import type { Flag, Values } from './flags.ts'

/** Flags of both checkpoint and restore, as runc has them. */
export const CRIU_FLAGS: readonly Flag[] = [
  { names: ['image-path'], kind: 'text', help: 'path of criu image files' },
  { names: ['work-path'], kind: 'text', help: 'path for saving work files and logs' },
  { names: ['tcp-established'], kind: 'bool', help: 'allow open tcp connections' },
  { names: ['ext-unix-sk'], kind: 'bool', help: 'allow external unix sockets' },
  { names: ['shell-job'], kind: 'bool', help: 'allow shell jobs' },
  {
    names: ['lazy-pages'],
    kind: 'bool',
    help: 'use userfaultfd to lazily restore memory pages',
  },
  { names: ['file-locks'], kind: 'bool', help: 'handle file locks, for safety' },
  {
    names: ['manage-cgroups-mode'],
    kind: 'text',
    help: "cgroups mode: 'ignore' (default: the cgroups are made as at a start), 'soft', 'full' and 'strict'",
  },
  {
    names: ['empty-ns'],
    kind: 'list',
    help: "create a namespace, but don't restore its properties",
  },
  { names: ['auto-dedup'], kind: 'bool', help: 'enable auto deduplication of memory images' },
]

const CGROUP_MODES = ['ignore', 'soft', 'full', 'strict']

export function criuOptions(flags: Values): CriuOptions {
  const mode = flags.text('manage-cgroups-mode') ?? 'ignore'
  if (!CGROUP_MODES.includes(mode)) throw invalidArgument('Invalid manage cgroups mode')
  const emptyNamespaces = flags.list('empty-ns')
  const unknown = emptyNamespaces.find((name) => name !== 'network')
  if (unknown !== undefined)
    throw invalidArgument(`namespace ${JSON.stringify(unknown)} is not supported`)
  return {
    tcpEstablished: flags.bool('tcp-established'),
    extUnixSockets: flags.bool('ext-unix-sk'),
    shellJob: flags.bool('shell-job'),
    fileLocks: flags.bool('file-locks'),
    autoDedup: flags.bool('auto-dedup'),
    lazyPages: flags.bool('lazy-pages'),
    manageCgroups: mode,
    // The network namespace is never in the images here, so there is nothing that criu would have to leave out.
    emptyNamespaces: [],
  }
}

/** Absolute; runc's default is below the current directory. */
export function imagePath(flags: Values): string {
  return resolve(flags.text('image-path') ?? 'checkpoint')
}

export function workPath(flags: Values): string | undefined {
  const path = flags.text('work-path')
  return path === undefined || path === '' ? undefined : resolve(path)
}

/** Relative to the image path, as criu wants it. */
export function parentPath(flags: Values, images: string): string | undefined {
  const path = flags.text('parent-path')
  if (path === undefined || path === '') return undefined
  if (isAbsolute(path)) throw invalidArgument('--parent-path must be relative')
  const parent = statSync(join(images, path), { throwIfNoEntry: false })
  if (parent?.isDirectory() === true) return path
  throw invalidArgument(
    `invalid --parent-path ${path}: ${parent === undefined ? 'no such file or directory' : 'not a directory'}`,
  )
}

export function pageServer(flags: Values): PageServer | undefined {
  const text = flags.text('page-server') ?? ''
  return text === '' ? undefined : parsePageServer(text)
}

/** A descriptor of the caller's that can be written to; undefined: none. */
export function statusFd(flags: Values): number | undefined {
  const text = flags.text('status-fd') ?? ''
  if (text === '' || text === '-1') return undefined
  if (!/^\d{1,9}$/.test(text)) {
    throw invalidArgument(`invalid value ${JSON.stringify(text)} for flag -status-fd: parse error`)
  }
  const mode = accessMode(text)
  if (mode === undefined) {
    throw invalidArgument(`invalid --status-fd argument ${text}: bad file descriptor`)
  }
  if (mode === O_RDONLY) {
    throw invalidArgument(`invalid --status-fd argument ${text}: not writable`)
  }
  return Number(text)
}

const { O_RDONLY } = constants
const O_ACCMODE = 3

/** proc_pid_fdinfo(5) */
function accessMode(fd: string): number | undefined {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
    return Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8) & O_ACCMODE
  } catch {
    return undefined
  }
}
