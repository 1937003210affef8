import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { type CpusetFacts, cgroupDirectory, findHierarchy, readMountInfo } from '@ctr/linux'
import type { NamespaceType, RuntimeSpec } from '@ctr/oci'
import { compileStart, type IdMaps, initBinaryPath, type Program, type StartInput } from '@ctr/shim'
import { containerProfile, withAppArmor } from '../apparmor/default-profile.ts'
import type { Engine } from '../engine.ts'
import { secretEnvironment, secretOps } from '../secret/mount.ts'
import { containerLabels, withLabels } from '../selinux/container-labels.ts'
import { assertSameUserNamespace } from '../user-namespace/shared.ts'
import { type EndpointOps, networkPlan } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { resolveBlockIo, resolveDevices } from './devices.ts'
import { containerCgroup } from './leftovers.ts'
import { linkEnvironment } from './links.ts'
import { parseLogSettings } from './log-options.ts'
import { networkModeContainer } from './modes.ts'
import { resolveContainerUser } from './resolve-user.ts'
import { writtenDirectory } from './root-directory.ts'
import { mountedLayers } from './rootfs.ts'
import { containerRuntimeDir, rootfsMountpoint } from './runtime-dir.ts'
import { compileSpec } from './spec/spec.ts'
import { isAlive } from './state.ts'

export interface ProgramOptions {
  readonly endpoints: readonly EndpointOps[]
  readonly hostname: string
  readonly expectAttach: number
  readonly consoleSize: { readonly rows: number; readonly columns: number } | undefined
  /** Of a container that is not made. */
  readonly idMaps?: IdMaps | undefined
  /** For `explain`: variables that are secrets are not shown. */
  readonly hidesSecrets?: boolean
}

/** The launch program, complete: what `run` executes and `run --explain` prints. */
export function compileProgram(
  engine: Engine,
  container: ContainerRecord,
  options: ProgramOptions,
): Program {
  return compileStart(startInput(engine, container, options), engine.host)
}

/** As the compiler of launch programs takes it: everything that is looked up has been, but nothing is done. */
export function startInput(
  engine: Engine,
  container: ContainerRecord,
  options: ProgramOptions,
): StartInput {
  const { config, hostConfig } = container
  const { rows, columns } = options.consoleSize ?? sizeOf(hostConfig.ConsoleSize)
  const spec = compileContainerSpec(engine, container, options.hostname, {
    rows,
    columns,
    hidesSecrets: options.hidesSecrets,
    idMaps: options.idMaps,
  })
  return {
    spec,
    containerId: container.id,
    runtimeDir: containerRuntimeDir(engine.config, container.id),
    rootfs: { ...rootFilesystem(engine, container), isIdMapped: hasUserNamespace(spec) },
    log: logTarget(engine, container),
    stdio: {
      stdin: config.OpenStdin === true,
      tty: config.Tty === true,
      stdinOnce: config.StdinOnce === true,
      rows,
      columns,
    },
    expectAttach: options.expectAttach,
    waitForStart: false,
    seccompFilter: seccompFilter(engine, spec),
    afterMounts: secretOps(engine, hostConfig, spec.linux?.mountLabel ?? ''),
    network: networkPlan(options.endpoints),
    cgroupParent: engine.config.cgroupParent,
    cpuset: parentCpuset(engine, hostConfig),
    ...((hostConfig.Init ?? engine.config.initByDefault)
      ? { initBinary: engine.config.initPath || initBinaryPath }
      : {}),
  }
}

/** Undefined when somebody has removed the parent cgroup, which was empty: it is made again, as any other parent. */
export function parentCpuset(
  { config, cpuset, host }: Engine,
  { CgroupParent }: HostConfig,
): CpusetFacts | undefined {
  if ((CgroupParent ?? '') !== '') return undefined
  const hierarchy = cpuset && findHierarchy(host.cgroups, 'cpuset')
  if (hierarchy === undefined) return undefined
  return existsSync(cgroupDirectory(hierarchy, config.cgroupParent)) ? cpuset : undefined
}

function rootFilesystem(engine: Engine, container: ContainerRecord): StartInput['rootfs'] {
  const mountpoint = rootfsMountpoint(engine)
  const path = writtenDirectory(container.hostConfig)
  if (path !== undefined) return { kind: 'directory', path, mountpoint }
  return {
    kind: 'overlay',
    base: engine.config.dataRoot,
    lower: mountedLayers(engine, container),
    upper: `containers/${container.id}/upper`,
    work: `containers/${container.id}/work`,
    // With --rm it is removed after a power cut.
    isVolatile: container.hostConfig.AutoRemove === true,
    mountpoint,
  }
}

function hasUserNamespace(spec: RuntimeSpec): boolean {
  return spec.linux?.namespaces?.some(({ type }) => type === 'user') === true
}

/** Looks everything up that the spec needs of other containers, the image and the host. */
export function compileContainerSpec(
  engine: Engine,
  container: ContainerRecord,
  hostname: string,
  o: {
    readonly rows: number
    readonly columns: number
    readonly hidesSecrets?: boolean | undefined
    readonly idMaps?: IdMaps | undefined
  },
): RuntimeSpec {
  const cgroup =
    engine.config.cgroupDriver === 'systemd' ? containerCgroup(engine, container) : undefined
  const spec = compileSpec({
    container,
    host: engine.host,
    user: resolveContainerUser(engine, container, container.config.User ?? ''),
    devices: resolveDevices(container.hostConfig, engine.config.cdiSpecDirs),
    blockIO: resolveBlockIo(container.hostConfig),
    dataRoot: engine.config.dataRoot,
    volumeOptions: (name) => engine.volumes.find(name)?.options ?? {},
    joined: joinedPids(engine, container),
    runtimeFiles: networkOwner(engine, container),
    hostname,
    noNewPrivileges: engine.config.noNewPrivileges,
    defaultSeccomp: engine.defaultSeccomp,
    defaultUlimits: engine.config.defaultUlimits,
    linkEnvironment: linkEnvironment(engine, container),
    secretEnvironment:
      o.hidesSecrets === true ? [] : secretEnvironment(engine, container.hostConfig),
    idMaps: o.idMaps ?? engine.userNamespaces.of(container.id),
    sourceOwner: (path) => statSync(path),
    imageLayers: (reference) =>
      engine.images
        .snapshotLayers(engine.images.get(reference).id)
        .map((layer) => resolve(engine.config.dataRoot, layer)),
    rows: o.rows,
    columns: o.columns,
  })
  const profiled = withAppArmor(spec, containerProfile(engine, container))
  const labelled = withLabels(profiled, containerLabels(engine, container))
  return cgroup === undefined
    ? labelled
    : { ...labelled, linux: { ...labelled.linux, cgroupsPath: cgroup } }
}

export function seccompFilter(
  engine: Pick<Engine, 'seccompFilters'>,
  spec: RuntimeSpec,
): Uint8Array | undefined {
  const rules = spec.linux?.seccomp
  return rules === undefined ? undefined : engine.seccompFilters.get(rules)
}

function logTarget(engine: Engine, container: ContainerRecord): StartInput['log'] {
  const settings = parseLogSettings(container.config, container.hostConfig, container)
  return settings === undefined ? undefined : { path: container.logPath, ...settings }
}

function sizeOf(size: readonly number[] | undefined): { rows: number; columns: number } {
  return { rows: size?.[0] ?? 0, columns: size?.[1] ?? 0 }
}

/** PIDs of the containers whose namespaces are shared. CONFLICT unless they run. */
function joinedPids(
  engine: Engine,
  container: ContainerRecord,
): Partial<Record<NamespaceType, number>> {
  const { NetworkMode, IpcMode, PidMode } = container.hostConfig
  const network = pidOf(engine, NetworkMode, 'network')
  const ipc = pidOf(engine, IpcMode, 'IPC')
  const pid = pidOf(engine, PidMode, 'PID')
  assertSameUserNamespace(engine, container)
  const owner = engine.userNamespaces.of(container.id) && (network ?? ipc ?? pid)
  return {
    ...(owner === undefined ? {} : { user: owner }),
    ...(network === undefined ? {} : { network }),
    ...(ipc === undefined ? {} : { ipc }),
    ...(pid === undefined ? {} : { pid }),
  }
}

function pidOf(engine: Engine, mode: string | undefined, what: string): number | undefined {
  const reference = networkModeContainer(mode ?? '')
  if (reference === undefined) return undefined
  const other = engine.containers.get(reference)
  if (isAlive(other.state)) {
    const otherIpc = other.hostConfig.IpcMode ?? ''
    if (what === 'IPC' && !['shareable', 'host'].includes(otherIpc)) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `cannot join IPC of container ${reference}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      )
    }
    if (what === 'IPC') assertOwnSharedMemory(other.state.pid)
    return other.state.pid
  }
  const text =
    what === 'network'
      ? `cannot join network of a non running container: ${other.id}`
      : `cannot join ${what} of a non running container: ${other.id}`
  throw new EngineError('CONFLICT', text)
}

/** Its /dev/shm is reached by a path of the host: nothing on the way may be what the container has put there. */
function assertOwnSharedMemory(pid: number): void {
  const mounts = readMountInfo(pid)
  const isMount = (path: string): boolean => mounts.some(({ mountpoint }) => mountpoint === path)
  if (isMount('/dev') && isMount('/dev/shm')) return
  throw new EngineError('CONFLICT', 'cannot join IPC of a container without a /dev/shm of its own')
}

/** A container that shares another's network has its name too. */
export function visibleHostname(engine: Engine, container: ContainerRecord): string {
  return networkOwner(engine, container).config.Hostname ?? ''
}

function networkOwner(engine: Engine, container: ContainerRecord): ContainerRecord {
  const reference = networkModeContainer(container.hostConfig.NetworkMode ?? '')
  const other = reference === undefined ? undefined : engine.containers.find(reference)
  return other ?? container
}
