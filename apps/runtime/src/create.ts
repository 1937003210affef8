import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, posix, resolve } from 'node:path'
import {
  cgroupPids,
  grantRealtime,
  type HostFacts,
  prepareCgroupParent,
  readHostFacts,
  seccompFlags,
} from '@ctr/linux'
import { capabilityNumber, type RuntimeProcess, type RuntimeSpec } from '@ctr/oci'
import { compileStart, type Op, type StartInput } from '@ctr/shim'
import { type Bundle, OWN_CGROUP_PARENT, readBundle } from './bundle.ts'
import type { Context, Input } from './command.ts'
import { prepareEnv } from './environment.ts'
import { invalidArgument, wrongState } from './errors.ts'
import { explainFailure } from './failure.ts'
import type { Flag, Values } from './flags.ts'
import { runContainerHooks, runHostHooks } from './hooks.ts'
import {
  findRdtGroup,
  makeRdtGroup,
  type RdtGroup,
  removeRdtGroup,
  resctrlRoot,
} from './intel-rdt.ts'
import { Launch } from './launch.ts'
import {
  type ContainerRecord,
  checkId,
  claimId,
  fifoPath,
  removeRecord,
  writeRecord,
} from './record.ts'
import { checkSystemd, OpenScope } from './scope.ts'
import { cachedSeccomp } from './seccomp-cache.ts'
import { isFrozen, ociState } from './status.ts'

export const CREATE_FLAGS: readonly Flag[] = [
  {
    names: ['bundle', 'b'],
    kind: 'text',
    help: 'path to the root of the bundle directory, defaults to the current directory',
  },
  {
    names: ['console-socket'],
    kind: 'text',
    help: 'path to an AF_UNIX socket which will receive a file descriptor referencing the master end of the console',
  },
  {
    names: ['pidfd-socket'],
    kind: 'text',
    help: 'path to an AF_UNIX socket which will receive a file descriptor referencing the init process',
  },
  { names: ['pid-file'], kind: 'text', help: 'specify the file to write the process id to' },
  {
    names: ['no-pivot'],
    kind: 'bool',
    help: 'do not use pivot root to jail process inside rootfs',
  },
  {
    names: ['no-new-keyring'],
    kind: 'bool',
    help: 'do not create a new session keyring for the container',
  },
  {
    names: ['preserve-fds'],
    kind: 'number',
    help: 'pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)',
  },
]

export interface CreatedContainer {
  readonly record: ContainerRecord
  /** The shim, when it stays in the foreground. */
  readonly launch: Launch
}

/** Everything up to, and without, the user's program. A create that fails or is killed leaves nothing behind. */
export async function createContainer(
  context: Context,
  id: string,
  { flags }: Input,
  isForeground: boolean,
): Promise<CreatedContainer> {
  checkSystemd(context)
  checkId(id)
  const bundle = readBundle(flags.text('bundle') ?? '.', id, context.hasSystemdCgroup)
  const process = needProcess(bundle.spec)
  const consoleSocket = checkTerminal(
    process.terminal === true,
    !isForeground,
    flags.text('console-socket'),
  )
  const fds = inheritedFds(flags.number('preserve-fds'))
  const spec = { ...bundle.spec, process: withListenFds(process, fds.listening) }
  warnOfCapabilities(context, process)
  warnOfAmbient(context, process)
  claimId(context.root, id)
  try {
    const host = hostFacts(flags.bool('no-pivot'))
    const plan: Plan = {
      id,
      spec,
      bundle,
      host,
      isForeground,
      consoleSocket,
      pidfdSocket: pidfdSocket(flags),
      preserveFds: fds.total,
      noNewKeyring: flags.bool('no-new-keyring'),
    }
    return await launchInit(context, plan, flags.text('pid-file'))
  } catch (error) {
    removeRecord(context.root, id)
    removeRdtGroup(findRdtGroup(spec.linux?.intelRdt, id, resctrlRoot()))
    const cpus = spec.linux?.resources?.cpu?.cpus ?? ''
    throw explainFailure(error, process.args[0] ?? '', { hasCpus: cpus !== '' })
  }
}

export interface Plan {
  readonly id: string
  readonly spec: RuntimeSpec
  readonly bundle: Bundle
  readonly host: HostFacts
  readonly isForeground: boolean
  readonly consoleSocket: string | undefined
  readonly pidfdSocket?: string | undefined
  readonly preserveFds: number
  readonly noNewKeyring: boolean
}

async function launchInit(
  context: Context,
  plan: Plan,
  pidFile: string | undefined,
): Promise<CreatedContainer> {
  const input = startInput(context, plan, fifoPath(context.root, plan.id))
  const { scope: name } = plan.bundle
  const scope = name && (await OpenScope.open(name, plan.id, plan.spec))
  const launch = new Launch(compileStart(input, plan.host), {
    preserveFds: plan.preserveFds,
    warn: (message) => context.log.warn(message),
  })
  try {
    if (hasCreateHooks(plan.spec)) {
      const paused = await launch.next('ready')
      await runCreateHooks(context, recordOf(plan, paused))
      await launch.proceed()
    }
    const record = recordOf(plan, await launch.next('ready'))
    await scope?.settle()
    writeRecord(context.root, record)
    if (pidFile !== undefined) writePidFile(pidFile, record.pid)
    await launch.proceed()
    return { record, launch }
  } catch (error) {
    await launch.abandon()
    await scope?.abandon()
    throw error
  }
}

/** `execFifo`: where the process waits before its execve. */
export function startInput(context: Context, plan: Plan, execFifo: string | undefined): StartInput {
  const { spec, host, bundle } = plan
  const cgroupPath = spec.linux?.cgroupsPath ?? ''
  const found = cgroupPids(host.cgroups, cgroupPath).length
  if (found > 0) throw wrongState(`container's cgroup is not empty: ${found} process(es) found`)
  // Whoever enters it stops for ever.
  if (isFrozen({ cgroups: host.cgroups, cgroupPath })) {
    throw wrongState("container's cgroup unexpectedly frozen")
  }
  if (host.cgroups.mode !== 'v2' && spec.linux?.resources?.unified !== undefined) {
    throw invalidArgument('invalid configuration: cannot use unified on cgroup v1')
  }
  // systemd makes its own parents ready, but knows no v1 cpuset.
  const isPrepared = bundle.scope !== undefined && host.cgroups.mode === 'v2'
  const cpuset = isPrepared
    ? undefined
    : prepareCgroupParent(host.cgroups, posix.dirname(cgroupPath))
  const { realtimeRuntime = 0, realtimePeriod } = spec.linux?.resources?.cpu ?? {}
  // A parent that the caller names has what it has.
  if (posix.dirname(cgroupPath) === OWN_CGROUP_PARENT) {
    const share = { runtimeUs: realtimeRuntime, periodUs: realtimePeriod }
    grantRealtime(host.cgroups, OWN_CGROUP_PARENT, share)
  }
  const env = spec.process === undefined ? [] : prepareEnv(spec.process, bundle.rootfs)
  const { seccomp } = spec.linux ?? {}
  if (seccomp) context.log.write('debug', `seccomp filter flags: ${seccompFlags(seccomp)}`)
  return {
    spec: {
      ...spec,
      ...(spec.process === undefined ? {} : { process: { ...spec.process, env } }),
    },
    containerId: plan.id,
    runtimeDir: '',
    handover: {
      isForeground: plan.isForeground,
      preserveFds: plan.preserveFds,
      consoleSocket: plan.consoleSocket,
      pidfdSocket: plan.pidfdSocket,
      execFifo,
      pauseForHooks: hasCreateHooks(spec),
      noNewKeyring: plan.noNewKeyring,
    },
    rootfs: { kind: 'directory', path: bundle.rootfs, mountpoint: bundle.rootfs },
    log: undefined,
    stdio: {
      stdin: true,
      tty: spec.process?.terminal === true,
      stdinOnce: false,
      rows: spec.process?.consoleSize?.height ?? 0,
      columns: spec.process?.consoleSize?.width ?? 0,
    },
    expectAttach: 0,
    waitForStart: false,
    seccompFilter: cachedSeccomp(context.root, seccomp),
    resctrlTasks: prepareRdt(plan)?.tasks,
    network: { hostOps: [], childOps: loopbackUp(spec), forwards: [] },
    cgroupParent: '/',
    cpuset,
  }
}

/** Before the launch, which then writes the process into it. */
function prepareRdt({ id, spec }: Plan): RdtGroup | undefined {
  const { intelRdt } = spec.linux ?? {}
  const root = resctrlRoot()
  const group = findRdtGroup(intelRdt, id, root)
  if (group !== undefined && intelRdt && root !== undefined) makeRdtGroup(intelRdt, group, root)
  return group
}

export function recordOf(plan: Plan, init: { pid: number; startTime: bigint }): ContainerRecord {
  return {
    version: 1,
    id: plan.id,
    bundle: plan.bundle.path,
    rootfs: plan.bundle.rootfs,
    created: new Date().toISOString(),
    pid: init.pid,
    startTime: String(init.startTime),
    cgroupPath: plan.spec.linux?.cgroupsPath ?? '',
    cgroups: plan.host.cgroups,
    ...(plan.bundle.scope === undefined ? {} : { scope: plan.bundle.scope }),
    spec: plan.spec,
  }
}

export function hasCreateHooks({ hooks }: RuntimeSpec): boolean {
  return [hooks?.prestart, hooks?.createRuntime, hooks?.createContainer].some(
    (list) => (list ?? []).length > 0,
  )
}

export async function runCreateHooks(context: Context, record: ContainerRecord): Promise<void> {
  const state = ociState(record, 'creating')
  const { hooks } = record.spec
  try {
    await runHostHooks('prestart', hooks, state)
    await runHostHooks('createRuntime', hooks, state)
    await runContainerHooks('createContainer', {
      root: context.root,
      record,
      state,
      isBeforePivot: true,
      log: context.log,
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw invalidArgument(
      `unable to start container process: error during container init: ${message}`,
    )
  }
}

export function needProcess(spec: RuntimeSpec): RuntimeProcess {
  if (spec.process !== undefined) return spec.process
  throw invalidArgument('process property must not be empty')
}

/** They are left out: who names one that only other kernels know still gets the rest. */
function warnOfCapabilities({ log }: Context, { capabilities }: RuntimeProcess): void {
  const names = new Set(Object.values(capabilities ?? {}).flat())
  const unknown = [...names].filter((name) => capabilityNumber(String(name)) === undefined)
  if (unknown.length === 0) return
  log.warn(`ignoring unknown or unavailable capabilities: [${unknown.toSorted(byText).join(' ')}]`)
}

/** capabilities(7): ambient is what is both permitted and inheritable. runc warns too. */
function warnOfAmbient({ log }: Context, { capabilities }: RuntimeProcess): void {
  const { ambient = [], permitted = [], inheritable = [] } = capabilities ?? {}
  for (const name of ambient) {
    if (permitted.includes(name) && inheritable.includes(name)) continue
    if (capabilityNumber(name) === undefined) continue // is unknown to begin with
    log.warn(`can't raise ambient capability ${name}: operation not permitted`)
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1
}

/** Who is to have the terminal's master must be clear. Answers the console socket to use. */
export function checkTerminal(
  hasTerminal: boolean,
  isDetached: boolean,
  consoleSocket: string | undefined,
): string | undefined {
  const socket = consoleSocket === '' ? undefined : consoleSocket
  if (hasTerminal && isDetached && socket === undefined) {
    throw invalidArgument('cannot allocate tty if runc will detach without setting console socket')
  }
  if (socket !== undefined && (!hasTerminal || !isDetached)) {
    throw invalidArgument('cannot use console socket if runc will not detach or allocate tty')
  }
  return socket === undefined ? undefined : resolve(socket)
}

export function pidfdSocket(flags: Values): string | undefined {
  const path = flags.text('pidfd-socket')
  return path === undefined || path === '' ? undefined : resolve(path)
}

const FDS_MAX = 1024

/** systemd's socket activation first, then --preserve-fds. sd_listen_fds(3) */
export function inheritedFds(preserve: number): { listening: number; total: number } {
  const isMeant = process.env['LISTEN_PID'] === String(process.pid)
  const listening = isMeant ? Number(process.env['LISTEN_FDS'] ?? 0) : 0
  const total = listening + preserve
  if (!Number.isInteger(total) || listening < 0 || preserve < 0 || total > FDS_MAX) {
    throw invalidArgument(`cannot pass ${total} file descriptors`)
  }
  for (let fd = 3; fd < 3 + total; fd++) {
    if (!existsSync(`/proc/self/fd/${fd}`)) {
      throw invalidArgument(
        `unable to stat preserved-fd ${fd - 3} (of ${preserve}): no such file or directory`,
      )
    }
  }
  return { listening, total }
}

export function withListenFds(process: RuntimeProcess, listening: number): RuntimeProcess {
  if (listening === 0) return process
  return {
    ...process,
    env: [...(process.env ?? []), `LISTEN_FDS=${listening}`, 'LISTEN_PID=1'],
  }
}

export function hostFacts(noPivot = false): HostFacts {
  const facts = readHostFacts()
  return noPivot ? { ...facts, rootIsRamfs: true } : facts
}

/** Readers never see half a number. */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}`)
  writeFileSync(temporary, String(pid), { mode: 0o666 })
  renameSync(temporary, path)
}

const RTM_NEWLINK = 16
const IFF_UP = 1

/** A new network namespace has its loopback device up, as runc's. rtnetlink(7): nlmsghdr, ifinfomsg of device 1. */
function loopbackUp(spec: RuntimeSpec): Op[] {
  const isNew = spec.linux?.namespaces?.some((one) => one.type === 'network' && !one.path)
  if (isNew !== true) return []
  const message = Buffer.alloc(32)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(RTM_NEWLINK, 4)
  message.writeInt32LE(1, 20)
  message.writeUInt32LE(IFF_UP, 24)
  message.writeUInt32LE(IFF_UP, 28)
  return [{ op: 'netlink', side: 'child', message, pid_offset: 0, ignore: 0 }]
}
