import { readFileSync } from 'node:fs'
import type { RuntimeProcess } from '@ctr/oci'
import { compileExec } from '@ctr/shim'
import type { Command, Context, Input } from '../command.ts'
import {
  checkTerminal,
  hostFacts,
  inheritedFds,
  pidfdSocket,
  withListenFds,
  writePidFile,
} from '../create.ts'
import { prepareEnv } from '../environment.ts'
import { invalidArgument, wrongState } from '../errors.ts'
import { explainFailure } from '../failure.ts'
import type { Values } from '../flags.ts'
import { forwardSignals } from '../forward-signals.ts'
import { findRdtGroup, resctrlRoot } from '../intel-rdt.ts'
import { Launch } from '../launch.ts'
import { type ContainerRecord, readRecord } from '../record.ts'
import { cachedSeccomp } from '../seccomp-cache.ts'
import { containerStatus } from '../status.ts'
import { subCgroups } from '../sub-cgroup.ts'
import { checkProcess, withUser } from '../validate.ts'

export const command: Command = {
  summary: 'execute new process inside the container',
  usage: '<container-id> <command> [command options]  || -p process.json <container-id>',
  flags: [
    {
      names: ['console-socket'],
      kind: 'text',
      help: 'path to an AF_UNIX socket which will receive the master end of the console',
    },
    {
      names: ['pidfd-socket'],
      kind: 'text',
      help: 'path to an AF_UNIX socket which will receive a file descriptor referencing the exec process',
    },
    { names: ['cwd'], kind: 'text', help: 'current working directory in the container' },
    { names: ['env', 'e'], kind: 'list', help: 'set environment variables' },
    { names: ['tty', 't'], kind: 'bool', help: 'allocate a pseudo-TTY' },
    { names: ['user', 'u'], kind: 'text', help: 'UID (format: <uid>[:<gid>])' },
    { names: ['additional-gids', 'g'], kind: 'list', help: 'additional gids' },
    { names: ['process', 'p'], kind: 'text', help: 'path to the process.json' },
    { names: ['detach', 'd'], kind: 'bool', help: "detach from the container's process" },
    { names: ['pid-file'], kind: 'text', help: 'specify the file to write the process id to' },
    { names: ['process-label'], kind: 'text', help: 'set the asm process label for the process' },
    { names: ['apparmor'], kind: 'text', help: 'set the apparmor profile for the process' },
    {
      names: ['no-new-privs'],
      kind: 'bool',
      help: 'set the no new privileges value for the process',
    },
    {
      names: ['cap', 'c'],
      kind: 'list',
      help: 'add a capability to the bounding set for the process',
    },
    {
      names: ['preserve-fds'],
      kind: 'number',
      help: 'pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)',
    },
    {
      names: ['cgroup'],
      kind: 'list',
      help: 'run the process in an (existing) sub-cgroup of the container: [CONTROLLER[,...]:]PATH',
    },
    { names: ['ignore-paused'], kind: 'bool', help: 'allow exec in a paused container' },
  ],
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  isInterspersed: false,
  errorPrefix: 'exec failed',
  errorStatus: 255,
  run: execProcess,
}

async function execProcess(context: Context, input: Input): Promise<number> {
  const { flags } = input
  const [id = '', ...args] = input.args
  const record = readRecord(context.root, id)
  checkStatus(containerStatus(context.root, record), flags.bool('ignore-paused'))
  const isDetached = flags.bool('detach')
  const fds = inheritedFds(flags.number('preserve-fds'))
  const process = withListenFds(processOf(record, flags, args), fds.listening)
  const consoleSocket = checkTerminal(
    process.terminal === true,
    isDetached,
    flags.text('console-socket'),
  )
  try {
    const { cgroupsPath, controllerCgroups } = subCgroups(record, flags.list('cgroup'))
    const spec = { ...record.spec, linux: { ...record.spec.linux, cgroupsPath } }
    const program = compileExec(
      {
        containerId: record.id,
        containerPid: record.pid,
        containerStartTime: BigInt(record.startTime),
        spec,
        process,
        runtimeDir: '',
        handover: {
          isForeground: !isDetached,
          preserveFds: fds.total,
          consoleSocket,
          pidfdSocket: pidfdSocket(flags),
        },
        stdio: {
          stdin: true,
          tty: process.terminal === true,
          stdinOnce: false,
          rows: process.consoleSize?.height ?? 0,
          columns: process.consoleSize?.width ?? 0,
        },
        expectAttach: 0,
        seccompFilter: cachedSeccomp(context.root, spec.linux?.seccomp),
        cgroupParent: '/',
        controllerCgroups,
        resctrlTasks: findRdtGroup(spec.linux.intelRdt, record.id, resctrlRoot())?.tasks,
      },
      hostFacts(),
    )
    const launch = new Launch(program, {
      preserveFds: fds.total,
      warn: (message) => context.log.warn(message),
    })
    return await follow(launch, isDetached, flags.text('pid-file'))
  } catch (error) {
    throw explainFailure(error, process.args[0] ?? '')
  }
}

function checkStatus(status: string, ignoresPaused: boolean): void {
  if (status === 'stopped') throw wrongState('cannot exec in a stopped container')
  if (status === 'paused' && !ignoresPaused) {
    throw wrongState('cannot exec in a paused container (use --ignore-paused to override)')
  }
}

async function follow(
  launch: Launch,
  isDetached: boolean,
  pidFile: string | undefined,
): Promise<number> {
  if (!isDetached) forwardSignals(launch)
  const { pid } = await launch.next('started')
  try {
    if (pidFile !== undefined) writePidFile(pidFile, pid)
  } catch (error) {
    if (!isDetached) launch.signal(9)
    await launch.abandon()
    throw error
  }
  if (!isDetached) return (await launch.next('exit')).status
  await launch.proceed()
  return 0
}

/** From a file as it is, else the container's own process with what the flags change. */
function processOf(
  record: ContainerRecord,
  flags: Values,
  args: readonly string[],
): RuntimeProcess {
  const file = flags.text('process')
  const own = record.spec.process
  if (own === undefined) throw invalidArgument('process property must not be empty')
  const process = file === undefined ? changed(own, flags, args) : withUser(readProcess(file))
  checkProcess(process)
  return {
    ...process,
    env: prepareEnv(process, record.rootfs),
    // The container's, where nothing is said.
    rlimits: process.rlimits ?? own.rlimits,
    capabilities: process.capabilities ?? own.capabilities,
    apparmorProfile: process.apparmorProfile ?? own.apparmorProfile,
    selinuxLabel: process.selinuxLabel ?? own.selinuxLabel,
    oomScoreAdj: process.oomScoreAdj ?? own.oomScoreAdj,
  }
}

function readProcess(path: string): RuntimeProcess {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RuntimeProcess
  } catch (error) {
    throw invalidArgument(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function changed(own: RuntimeProcess, flags: Values, args: readonly string[]): RuntimeProcess {
  if (args.length === 0) throw invalidArgument('process args cannot be empty')
  const user = flags.text('user')
  const added = flags.list('cap')
  const withAdded = (set: string[] | undefined): string[] => [...(set ?? []), ...added]
  const gids = flags.list('additional-gids').map((text) => id(text, 'gid'))
  return {
    ...own,
    args: [...args],
    cwd: flags.text('cwd') ?? own.cwd,
    terminal: flags.bool('tty'),
    consoleSize: undefined,
    env: [...(own.env ?? []), ...flags.list('env')],
    user: {
      ...own.user,
      ...(user === undefined ? {} : parseUser(user)),
      additionalGids: [...(own.user.additionalGids ?? []), ...gids],
    },
    ...(added.length === 0
      ? {}
      : {
          capabilities: {
            bounding: withAdded(own.capabilities?.bounding),
            effective: withAdded(own.capabilities?.effective),
            permitted: withAdded(own.capabilities?.permitted),
            // Not inheritable: CVE-2022-29162.
            inheritable: own.capabilities?.inheritable,
            ambient: withAdded(own.capabilities?.ambient),
          },
        }),
    ...(flags.bool('no-new-privs') ? { noNewPrivileges: true } : {}),
    apparmorProfile: flags.text('apparmor') ?? own.apparmorProfile,
    selinuxLabel: flags.text('process-label') ?? own.selinuxLabel,
  }
}

function parseUser(text: string): { uid: number; gid?: number } {
  const [uid = '', gid] = text.split(':')
  return {
    uid: id(uid, 'uid'),
    ...(gid === undefined ? {} : { gid: id(gid, 'gid') }),
  }
}

const ID_MAX = 2 ** 32 - 2

function id(text: string, kind: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > ID_MAX) {
    throw invalidArgument(`parsing ${JSON.stringify(text)} as ${kind} for user: invalid syntax`)
  }
  return number
}
