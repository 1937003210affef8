import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { type Criu, criuEnvironment } from './binary.ts'
import { encodeDump } from './protocol.ts'
import {
  type CriuOptions,
  type DumpRequest,
  externalResources,
  inheritedResources,
  type RestoreRequest,
  STATUS_FD,
} from './requests.ts'

/** Runs `criu dump`. INTERNAL with the end of criu's log if it fails; then the processes go on. */
export async function dump(criu: Criu, request: DumpRequest): Promise<void> {
  const name = request.isPreDump === true ? 'pre-dump' : 'dump'
  const { terminalShim: shim } = request
  const isAsked = shim !== undefined && request.isPreDump !== true
  const log = join((isAsked ? undefined : request.workDir) ?? request.imagesDir, 'dump.log')
  const { statusFd } = request
  const { status, output } = isAsked
    ? await run(shim, ['criu', criu.path], { input: encodeDump(request), statusFd })
    : await run(criu.path, [name, ...dumpArguments(request)], { statusFd })
  if (status === '0') return
  const reason = withHint(readCriuErrors(log)) || output.trim() || status
  throw new EngineError(
    'INTERNAL',
    `criu failed: type ${name.toUpperCase()} status ${status}: ${reason}`,
  )
}

/** The arguments behind `dump`. */
export function dumpArguments(request: DumpRequest): string[] {
  const { freezeCgroup, parentPath, pageServer, statusFd } = request
  return [
    '--tree',
    String(request.pid),
    ...placeArguments(request.imagesDir, request.workDir, 'dump.log'),
    ...commonArguments(request),
    ...(request.leaveRunning ? ['--leave-running'] : []),
    ...externalResources(request).flatMap((one) => ['--external', one]),
    ...(freezeCgroup === undefined ? [] : ['--freeze-cgroup', freezeCgroup]),
    ...(parentPath === undefined ? [] : ['--prev-images-dir', parentPath]),
    ...(request.isPreDump === true || parentPath !== undefined ? ['--track-mem'] : []),
    ...(pageServer === undefined
      ? []
      : [
          // Lazy pages are served at the address, others are sent there.
          ...(request.lazyPages === true ? [] : ['--page-server']),
          '--address',
          pageServer.address,
          '--port',
          String(pageServer.port),
        ]),
    ...(statusFd === undefined ? [] : ['--status-fd', String(STATUS_FD)]),
  ]
}

/** criu's arguments for the operation `restore`, its path first. */
export function restoreArguments(criu: Criu, request: RestoreRequest): string[] {
  const { lsmProfile, lsmMountContext } = request
  return [
    criu.path,
    'restore',
    '--restore-detached',
    '--restore-sibling',
    ...placeArguments(request.imagesDir, request.workDir, 'restore.log'),
    ...commonArguments(request),
    ...(lsmProfile === undefined ? [] : ['--lsm-profile', lsmProfile]),
    ...(lsmMountContext === undefined ? [] : ['--lsm-mount-context', lsmMountContext]),
    ...inheritedResources(request).flatMap(({ key, fd }) => ['--inherit-fd', `fd[${fd}]:${key}`]),
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
    ...(o.lazyPages === true ? ['--lazy-pages'] : []),
    ...(o.emptyNamespaces ?? []).flatMap((name) => ['--empty-ns', name]),
  ]
}

const OUTPUT_MAX = 4096

async function run(
  path: string,
  args: readonly string[],
  o: { readonly input?: Uint8Array; readonly statusFd?: number | undefined },
): Promise<{ status: string; output: string }> {
  const child = spawn(path, args, {
    stdio: ['pipe', 'ignore', 'pipe', ...(o.statusFd === undefined ? [] : [o.statusFd])],
    env: criuEnvironment(),
    // A Ctrl-C in our terminal is not for it.
    detached: true,
  })
  let output = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-OUTPUT_MAX)
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  child.on('error', (cause) =>
    reject(new EngineError('UNAVAILABLE', `cannot run ${path}: ${cause.message}`, { cause })),
  )
  child.stdin?.on('error', () => undefined) // it need not be read
  child.stdin?.end(o.input)
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
