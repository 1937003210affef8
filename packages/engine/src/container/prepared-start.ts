import type { HostConfig } from '@ctr/api'
import { type RuntimeResources, shortId } from '@ctr/oci'
import { compileStart, type EncodedProgram, encode, type Program, ProgramTemplate } from '@ctr/shim'
import { containerProfile } from '../apparmor/default-profile.ts'
import type { Engine } from '../engine.ts'
import type { EndpointOps } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { compileProgram, type ProgramOptions, parentCpuset, startInput } from './program.ts'
import { resolveContainerUser } from './resolve-user.ts'
import { containerRuntimeDir } from './runtime-dir.ts'

/**
 * Starts of containers that are alike. A launch program is a pure function of what was said at the creation, what was looked up, and
 * the id. Where nothing but the user, the cpuset and the network is looked up, the message for the spawner is kept, and the next
 * such container gets it with its own id and its own operations for the network: the plan and its encoding took a seventh of the daemon's
 * share of a container's life.
 */
export class StartTemplates {
  readonly #templates = new Map<string, Template>()

  get(key: string): Template | undefined {
    return this.#templates.get(key)
  }

  set(key: string, template: Template): void {
    if (this.#templates.size === TEMPLATES_MAX) this.#templates.clear()
    this.#templates.set(key, template)
  }

  /** The engine's configuration has changed. */
  forget(): void {
    this.#templates.clear()
  }
}

/** Of some 12 KB each. */
const TEMPLATES_MAX = 16

interface Template {
  readonly message: ProgramTemplate
  readonly prepare: Uint8Array | undefined
  readonly resources: RuntimeResources
}

/** A launch program, ready for the spawner, and the limits that are in it. */
export interface PreparedStart {
  readonly program: EncodedProgram
  readonly resources: RuntimeResources
}

export function prepareStart(
  engine: Engine,
  container: ContainerRecord,
  options: ProgramOptions,
): PreparedStart {
  const key = templateKey(engine, container, options)
  const own = ownOps(options.endpoints)
  const known = key === undefined ? undefined : engine.startTemplates.get(key)
  const message = known?.message.fill(container.id, own)
  if (known !== undefined && message !== undefined) {
    const { prepare, resources } = known
    const program = {
      runtimeDir: containerRuntimeDir(engine.config, container.id),
      message,
      prepare,
      program: () => recompiled(engine, container, options),
    }
    return { program, resources }
  }
  const input = startInput(engine, container, options)
  const program = encode(compileStart(input, engine.host))
  const resources = input.spec.linux?.resources ?? {}
  if (key !== undefined) {
    const template = ProgramTemplate.of(program.program(), container.id, own)
    const { prepare } = program
    if (template !== undefined) {
      engine.startTemplates.set(key, { message: template, prepare, resources })
    }
  }
  return { program, resources }
}

/** For the words of an error. What it was made of may be gone by now: then they name no operation. */
function recompiled(engine: Engine, container: ContainerRecord, options: ProgramOptions): Program {
  try {
    return compileProgram(engine, container, options)
  } catch (err) {
    engine.log.debug({ containerId: container.id, err }, 'describe a failed start')
    return []
  }
}

/** In the order of the program. */
function ownOps(endpoints: readonly EndpointOps[]): EndpointOps['hostOps'] {
  return [
    ...endpoints.flatMap(({ forwards }) => forwards),
    ...endpoints.flatMap(({ hostOps }) => hostOps),
    ...endpoints.flatMap(({ childOps }) => childOps),
  ]
}

/** Everything that the program depends on, but for the id and the network. Undefined: more is looked up for it. */
function templateKey(
  engine: Engine,
  container: ContainerRecord,
  { hostname, expectAttach, consoleSize, idMaps, hidesSecrets }: ProgramOptions,
): string | undefined {
  const { config, host } = engine
  const { id, hostConfig } = container
  const isAlone =
    config.cgroupDriver === 'cgroupfs' &&
    !(config.seLinuxEnabled && host.seLinux) &&
    container.mounts.length === 0 &&
    idMaps === undefined &&
    hidesSecrets !== true &&
    engine.userNamespaces.of(id) === undefined &&
    isSelfContained(hostConfig)
  if (!isAlone) return undefined
  const isOwnName = hostname === shortId(id)
  const { Hostname: given, ...rest } = container.config
  return JSON.stringify([
    isOwnName && given === hostname ? null : [hostname, given],
    rest,
    hostConfig,
    container.path,
    container.args,
    container.layers,
    resolveContainerUser(engine, container, container.config.User ?? ''),
    expectAttach,
    consoleSize,
    parentCpuset(engine, hostConfig) !== undefined,
    containerProfile(engine, container),
  ])
}

/** Settings that mean the same whenever a container starts. Others have to be absent or empty. */
const SELF_CONTAINED: ReadonlySet<string> = new Set<keyof HostConfig>([
  'Annotations',
  'AutoRemove',
  'CapAdd',
  'CapDrop',
  'CgroupParent',
  'CgroupnsMode',
  'ConsoleSize',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'Dns',
  'DnsOptions',
  'DnsSearch',
  'ExtraHosts',
  'GroupAdd',
  'Init',
  'IpcMode',
  'Isolation',
  'LogConfig',
  'MaskedPaths',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'MemorySwappiness',
  'NanoCpus',
  'NetworkMode',
  'OomKillDisable',
  'OomScoreAdj',
  'PidMode',
  'PidsLimit',
  'PortBindings',
  'PublishAllPorts',
  'ReadonlyPaths',
  'ReadonlyRootfs',
  'RestartPolicy',
  'Runtime',
  'SecurityOpt',
  'ShmSize',
  'Sysctls',
  'Tmpfs',
  'UTSMode',
  'Ulimits',
])

function isSelfContained(hostConfig: HostConfig): boolean {
  const { NetworkMode = '', IpcMode = '', PidMode = '', UTSMode = '', LogConfig } = hostConfig
  // Those of another container, or of a path.
  const isShared = [NetworkMode, IpcMode, PidMode, UTSMode].some((mode) => mode.includes(':'))
  // They may name the container, its image and its labels.
  const hasLogOptions = Object.keys(LogConfig?.Config ?? {}).length > 0
  if (isShared || hasLogOptions) return false
  return Object.entries(hostConfig).every(
    ([name, value]) => SELF_CONTAINED.has(name) || isEmpty(value),
  )
}

function isEmpty(value: unknown): boolean {
  if (value === null || typeof value !== 'object') {
    return value === undefined || value === null || value === '' || value === 0 || value === false
  }
  return Object.keys(value).length === 0
}
