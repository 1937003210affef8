import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { RESTORE_NETWORK_FD } from '../ops.ts'
import { type Criu, criuEnvironment } from './binary.ts'
import { type Descriptors, externalDescriptors, inheritedDescriptors } from './descriptors.ts'

/** What a dump and its restore must agree on. */
export interface CriuOptions {
  readonly tcpEstablished: boolean
  readonly fileLocks: boolean
  readonly extUnixSockets?: boolean
  readonly shellJob?: boolean
  /** `ignore`: the processes stay in the cgroup that criu was started in. */
  readonly manageCgroups?: string
  /** Namespaces whose contents are left to the caller. */
  readonly emptyNamespaces?: readonly string[]
  readonly autoDedup?: boolean
}

export interface DumpRequest extends CriuOptions {
  readonly pid: number
  /** Made by the caller; absolute. */
  readonly imagesDir: string
  /** For criu's log; absent: the images' directory. */
  readonly workDir?: string | undefined
  readonly leaveRunning: boolean
  readonly mounts: readonly string[]
  readonly descriptors: Descriptors
  /** Inode of the network namespace, which is none of criu's; undefined: the host's. */
  readonly networkInode: number | undefined
  /** Directory of the freezer's cgroup, for a container that is frozen already. */
  readonly freezeCgroup?: string | undefined
  /** Images of the dump before this one, relative to `imagesDir`. */
  readonly parentPath?: string | undefined
  /** Memory only; the processes go on. */
  readonly isPreDump?: boolean
  /** `address:port` of a criu page-server. */
  readonly pageServer?: { readonly address: string; readonly port: number } | undefined
}

/** runc's name. */
const NETWORK_KEY = 'extRootNetNS'

/** Runs `criu dump`. INTERNAL with the end of criu's log if it fails; then the processes go on. */
export async function dump(criu: Criu, request: DumpRequest): Promise<void> {
  const name = request.isPreDump === true ? 'pre-dump' : 'dump'
  const log = join(request.workDir ?? request.imagesDir, 'dump.log')
  const { status, output } = await runCriu(criu, [name, ...dumpArguments(request)])
  if (status === '0') return
  const reason = withHint(readCriuErrors(log)) || output.trim() || status
  throw new EngineError(
    'INTERNAL',
    `criu failed: type ${name.toUpperCase()} status ${status}: ${reason}`,
  )
}

/** The arguments behind `dump`. */
export function dumpArguments(request: DumpRequest): string[] {
  const { networkInode, freezeCgroup, parentPath, pageServer } = request
  return [
    '--tree',
    String(request.pid),
    ...placeArguments(request.imagesDir, request.workDir, 'dump.log'),
    ...commonArguments(request),
    ...(request.leaveRunning ? ['--leave-running'] : []),
    ...(networkInode === undefined ? [] : external(`net[${networkInode}]:${NETWORK_KEY}`)),
    ...request.mounts.flatMap((path) => external(`mnt[${path}]:${path}`)),
    ...externalDescriptors(request.descriptors).flatMap(external),
    ...(freezeCgroup === undefined ? [] : ['--freeze-cgroup', freezeCgroup]),
    ...(parentPath === undefined ? [] : ['--prev-images-dir', parentPath]),
    ...(request.isPreDump === true || parentPath !== undefined ? ['--track-mem'] : []),
    ...(pageServer === undefined
      ? []
      : ['--page-server', '--address', pageServer.address, '--port', String(pageServer.port)]),
  ]
}

export interface RestoreRequest extends CriuOptions {
  readonly imagesDir: string
  readonly workDir?: string | undefined
  readonly descriptors: Descriptors
  /** The images are of a container whose network namespace was not criu's. */
  readonly hasNetwork: boolean
}

/** criu's arguments for the operation `restore`, its path first. */
export function restoreArguments(criu: Criu, request: RestoreRequest): string[] {
  const inherited = [
    ...(request.hasNetwork ? [`fd[${RESTORE_NETWORK_FD}]:${NETWORK_KEY}`] : []),
    ...inheritedDescriptors(request.descriptors),
  ]
  return [
    criu.path,
    'restore',
    '--restore-detached',
    '--restore-sibling',
    ...placeArguments(request.imagesDir, request.workDir, 'restore.log'),
    ...commonArguments(request),
    ...inherited.flatMap((one) => ['--inherit-fd', one]),
  ]
}

function placeArguments(imagesDir: string, workDir: string | undefined, log: string): string[] {
  const work = workDir === undefined ? [] : ['--work-dir', workDir]
  return ['--images-dir', imagesDir, ...work, '--log-file', log, '-v4']
}

function commonArguments(o: CriuOptions): string[] {
  return [
    '--no-default-config',
    `--manage-cgroups=${o.manageCgroups ?? 'ignore'}`,
    ...(o.tcpEstablished ? ['--tcp-established', '--network-lock', 'nftables'] : []),
    ...(o.fileLocks ? ['--file-locks'] : []),
    ...(o.extUnixSockets === true ? ['--ext-unix-sk'] : []),
    ...(o.shellJob === true ? ['--shell-job'] : []),
    ...(o.autoDedup === true ? ['--auto-dedup'] : []),
    ...(o.emptyNamespaces ?? []).flatMap((name) => ['--empty-ns', name]),
  ]
}

function external(resource: string): string[] {
  return ['--external', resource]
}

const OUTPUT_MAX = 4096

async function runCriu(
  criu: Criu,
  args: readonly string[],
): Promise<{ status: string; output: string }> {
  const child = spawn(criu.path, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: criuEnvironment(),
    // A Ctrl-C in our terminal is not for it.
    detached: true,
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-OUTPUT_MAX)
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  child.on('error', (cause) =>
    reject(new EngineError('UNAVAILABLE', `cannot run ${criu.path}: ${cause.message}`, { cause })),
  )
  child.on('close', (code, signal) => resolve(signal ?? String(code)))
  return { status: await promise, output }
}

/** prlimit(2): for processes of another user than root. */
function withHint(errors: string): string {
  return errors.includes("Can't get rlimit")
    ? `${errors} (criu needs CAP_SYS_RESOURCE for processes of other users, and this host does not give it)`
    : errors
}

const ERRORS_MAX = 8
/** Said where it lacks a capability or, in the container's cgroup, a device; it goes on. */
const HARMLESS = /RLIMIT_NOFILE|exited, status=|Unable to create tun|cgroupd: recv req/

/** The last errors in criu's log; its last lines if there is none; empty without a log. */
export function readCriuErrors(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
  const lines = text.trimEnd().split('\n')
  const errors = lines.filter((line) => /\bError\b/.test(line) && !HARMLESS.test(line))
  const shown = errors.length > 0 ? errors : lines
  return shown
    .slice(-ERRORS_MAX)
    .map((line) => line.replace(/^\([\d.]+\)\s*/, '').trim())
    .join('; ')
}
