import { realpathSync } from 'node:fs'
import { EngineError, isEngineError } from '@ctr/errdefs'
import { readContainerContexts, relabelTree, setFileLabel } from '@ctr/linux'
import { newId, type RuntimeSpec } from '@ctr/oci'
import type { ContainerRecord } from '../container/container.ts'
import { networkModeContainer } from '../container/modes.ts'
import { parseSecurityOptions } from '../container/security-options.ts'
import type { Engine } from '../engine.ts'
import { categoriesOf, type Labels, NO_LABELS, planLabels, relabelTo } from './labels.ts'

type Deps = Pick<Engine, 'config' | 'containers' | 'host'>
type Labelled = Pick<ContainerRecord, 'id' | 'hostConfig'>

/** With --selinux-enabled, on a host that has SELinux and a policy for containers. INVALID_ARGUMENT, NOT_FOUND. */
export function containerLabels(engine: Deps, container: Labelled): Labels {
  if (!isEnabled(engine)) return NO_LABELS
  const contexts = readContainerContexts()
  if (contexts === undefined) return NO_LABELS
  const options = labelOptions(engine, container)
  return planLabels(contexts, options, categoriesOf(container.id))
}

function isEnabled({ config, host }: Pick<Engine, 'config' | 'host'>): boolean {
  return config.seLinuxEnabled && host.seLinux
}

/**
 * What the user says; else none for those that are to see all of the host, and that of the container whose processes
 * are joined. moby daemon/create.go generateSecurityOpt
 */
function labelOptions(engine: Deps, { hostConfig }: Labelled): readonly string[] {
  const { labels } = parseSecurityOptions(hostConfig.SecurityOpt ?? [], engine.config)
  if (labels.length > 0) return labels
  const { IpcMode, PidMode, Privileged } = hostConfig
  if (IpcMode === 'host' || PidMode === 'host' || Privileged === true) return ['disable']
  const joined = [IpcMode, PidMode]
    .map((mode) => networkModeContainer(mode ?? ''))
    .filter((reference) => reference !== undefined)
    .map((reference) => engine.containers.get(reference))
  const [first, second] = joined
  if (first === undefined) return []
  const own = containerLabels(engine, first)
  if (second !== undefined && containerLabels(engine, second).process !== own.process) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      "--ipc and --pid containers SELinux labels aren't the same",
    )
  }
  if (own.process === '') return ['disable']
  const [user = '', role = '', type = '', ...level] = own.process.split(':')
  return [`user:${user}`, `role:${role}`, `type:${type}`, `level:${level.join(':')}`]
}

/** For clients: what cannot be told (the other container has gone) is empty. */
export function visibleLabels(engine: Deps, container: Labelled): Labels {
  try {
    return containerLabels(engine, container)
  } catch (error) {
    if (isEngineError(error)) return NO_LABELS
    throw error
  }
}

export function withLabels(spec: RuntimeSpec, { process, mount }: Labels): RuntimeSpec {
  return {
    ...spec,
    ...(process === '' || spec.process === undefined
      ? {}
      : { process: { ...spec.process, selinuxLabel: process } }),
    ...(mount === '' ? {} : { linux: { ...spec.linux, mountLabel: mount } }),
  }
}

/** A new id; with SELinux one whose categories no other container has. */
export function newContainerId(engine: Deps): string {
  if (!isEnabled(engine)) return newId()
  const taken = new Set(engine.containers.all().map(({ id }) => categoriesOf(id).join()))
  for (;;) {
    const id = newId()
    if (!taken.has(categoriesOf(id).join())) return id
  }
}

/** Before a start: sources of mounts with `z` or `Z`, and the engine's own files. INVALID_ARGUMENT. */
export function relabelForStart(engine: Deps, container: ContainerRecord): void {
  const labels = containerLabels(engine, container)
  if (labels.mount === '') return
  for (const mount of container.mounts) {
    if (mount.type !== 'bind' && mount.type !== 'volume') continue
    const source = realpathSync(mount.source)
    const label = relabelTo(mount.mode, source, labels)
    if (label !== undefined) relabelTree(source, label)
  }
  const { resolvConfPath, hostnamePath, hostsPath } = container
  for (const path of [resolvConfPath, hostnamePath, hostsPath]) setFileLabel(path, labels.mount)
}
