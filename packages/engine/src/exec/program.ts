import type { RuntimeProcess, RuntimeSpec } from '@ctr/oci'
import { compileExec, type ExecInput, encodeAhead, type Op, type Program } from '@ctr/shim'
import type { ContainerRecord } from '../container/container.ts'
import { overrideEnvironment, processEnvironment, withHome } from '../container/environment.ts'
import { linkEnvironment } from '../container/links.ts'
import { compileContainerSpec, seccompFilter, visibleHostname } from '../container/program.ts'
import { resolveContainerUser } from '../container/resolve-user.ts'
import { execRuntimeDir } from '../container/runtime-dir.ts'
import { processCapabilities } from '../container/spec/process.ts'
import type { ResolvedUser } from '../container/user.ts'
import type { Engine } from '../engine.ts'
import { secretEnvironment } from '../secret/mount.ts'
import type { Exec } from './registry.ts'

export interface ExecProgramOptions {
  readonly stdio: ExecInput['stdio']
  /** Clients that connect to the shim's socket before it reads output. */
  readonly expectAttach: number
}

/** Of the container, which the exec joins. */
interface InitProcess {
  readonly pid: number
  readonly startTime: bigint
}

/** Launch programs of one container's execs, without their first and last operation: runtime directory and command. */
type Templates = Map<string, Program>

/** Of the run that is under way: each change of a container makes a record of its own. */
const templates = new WeakMap<ContainerRecord, Templates>()
const TEMPLATES_MAX = 8
const specs = new WeakMap<ContainerRecord, RuntimeSpec>()

/**
 * The launch program of an exec. Most execs of a container differ in nothing but their command, so what lies between is compiled
 * once for each user, directory and set of streams. The user is looked up in the container's files as they are now.
 */
export function execProgram(
  engine: Engine,
  container: ContainerRecord,
  init: InitProcess,
  exec: Exec,
  options: ExecProgramOptions,
): Program {
  const { config } = exec
  const user = resolveContainerUser(
    engine,
    container,
    (config.User ?? '') === '' ? (container.config.User ?? '') : (config.User ?? ''),
  )
  const command: Op = {
    op: 'exec',
    args: [...(config.Cmd ?? [])],
    env: execEnvironment(engine, container, exec, user.home),
  }
  const owner: Op = { op: 'runtime_dir', path: execRuntimeDir(engine.config, exec.id) }
  const known = templates.get(container) ?? new Map<string, Program>()
  templates.set(container, known)
  const key = keyOf(exec, user, options)
  let template = known.get(key)
  if (template === undefined) {
    template = compileTemplate(engine, container, init, exec, user, options)
    // Of a terminal the size is part of it.
    if (!options.stdio.tty && known.size < TEMPLATES_MAX) known.set(key, encodeAhead(template))
  }
  return [owner, ...template, command]
}

/** All that a template is made of, beside its container. */
function keyOf(
  { config }: Exec,
  { uid, gid, additionalGids }: ResolvedUser,
  { stdio, expectAttach }: ExecProgramOptions,
): string {
  const isPrivileged = config.Privileged === true
  const directory = config.WorkingDir ?? ''
  return JSON.stringify([uid, gid, additionalGids, isPrivileged, directory, stdio, expectAttach])
}

function compileTemplate(
  engine: Engine,
  container: ContainerRecord,
  init: InitProcess,
  exec: Exec,
  user: ResolvedUser,
  options: ExecProgramOptions,
): Program {
  const spec = specOf(engine, container)
  const program = compileExec(
    {
      containerId: container.id,
      containerPid: init.pid,
      containerStartTime: init.startTime,
      spec,
      process: compileProcess(engine, container, exec, spec, user, options),
      runtimeDir: execRuntimeDir(engine.config, exec.id),
      seccompFilter: exec.config.Privileged === true ? undefined : seccompFilter(engine, spec),
      cgroupParent: engine.config.cgroupParent,
      ...options,
    },
    engine.host,
  )
  return program.slice(1, -1)
}

/** For what an exec has in common with the container's own process: namespaces, filter, limits, profiles. */
function specOf(engine: Engine, container: ContainerRecord): RuntimeSpec {
  const known = specs.get(container)
  if (known !== undefined) return known
  const hostname = visibleHostname(engine, container)
  const spec = compileContainerSpec(engine, container, hostname, { rows: 0, columns: 0 })
  specs.set(container, spec)
  return spec
}

/** The container's process with the exec's own user and directory; its command comes later. moby daemon/exec_linux.go */
function compileProcess(
  engine: Engine,
  container: ContainerRecord,
  { config }: Exec,
  spec: RuntimeSpec,
  user: ResolvedUser,
  { stdio }: ExecProgramOptions,
): RuntimeProcess {
  const hostConfig = {
    ...container.hostConfig,
    Privileged: container.hostConfig.Privileged === true || config.Privileged === true,
  }
  const directory = config.WorkingDir ?? ''
  return {
    ...spec.process,
    terminal: stdio.tty,
    ...(stdio.tty ? { consoleSize: { height: stdio.rows, width: stdio.columns } } : {}),
    user: { uid: user.uid, gid: user.gid, umask: 0o022, additionalGids: [...user.additionalGids] },
    args: [...(config.Cmd ?? [])],
    cwd: directory === '' ? (spec.process?.cwd ?? '/') : directory,
    capabilities: processCapabilities(hostConfig, user.uid, engine.host),
  }
}

/** The container's, as its links and secrets are now, with the exec's own over it. */
function execEnvironment(
  engine: Engine,
  container: ContainerRecord,
  { config }: Exec,
  home: string,
): string[] {
  const own = processEnvironment(
    { ...container.config, Tty: config.Tty === true },
    visibleHostname(engine, container),
    home,
    linkEnvironment(engine, container),
  )
  const secrets = secretEnvironment(engine, container.hostConfig)
  return withHome(overrideEnvironment(own, [...secrets, ...(config.Env ?? [])]), home)
}
