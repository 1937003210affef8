import type { HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { IdMaps } from '@ctr/shim'
import { networkModeContainer } from '../container/modes.ts'
import type { Engine } from '../engine.ts'
import type { UserNamespacePlan } from './mode.ts'

type Owner = IdMaps | 'host'
type Deps = Pick<Engine, 'containers' | 'userNamespaces'>

/**
 * Who shares another container's network, IPC or PID namespace shares the user namespace that owns it, as in Docker
 * (moby daemon/oci_linux.go, WithNamespaces), unless asked for one by name. Undefined: nothing is shared.
 * INVALID_ARGUMENT when the containers have different ones.
 */
export function sharedUserNamespace(
  engine: Deps,
  hostConfig: HostConfig,
): UserNamespacePlan | undefined {
  const { UsernsMode: mode = '', UidMap: uids = [], GidMap: gids = [] } = hostConfig
  if (mode !== '' || uids.length > 0 || gids.length > 0) return undefined
  const [first, ...others] = joinedContainers(hostConfig).flatMap((reference): Owner[] => {
    const other = engine.containers.find(reference)
    return other === undefined ? [] : [engine.userNamespaces.of(other.id) ?? 'host']
  })
  if (first === undefined) return undefined
  if (others.some((one) => !isSame(one, first))) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'cannot join namespaces of containers with different user namespaces',
    )
  }
  return first === 'host' ? { kind: 'none' } : { kind: 'maps', maps: first }
}

/** At start: the container named then may be another one by now. CONFLICT. */
export function assertSameUserNamespace(
  engine: Deps,
  { id, hostConfig }: { readonly id: string; readonly hostConfig: HostConfig },
): void {
  const own = engine.userNamespaces.of(id)
  if (own === undefined) return
  for (const reference of joinedContainers(hostConfig)) {
    const other = engine.containers.get(reference)
    if (isSame(engine.userNamespaces.of(other.id) ?? 'host', own)) continue
    throw new EngineError(
      'CONFLICT',
      `container ${other.id} has another user namespace than ${id}: create ${id} again`,
    )
  }
}

function joinedContainers({ NetworkMode, IpcMode, PidMode }: HostConfig): string[] {
  return [NetworkMode, IpcMode, PidMode].flatMap((mode) => {
    const reference = networkModeContainer(mode ?? '')
    return reference === undefined ? [] : [reference]
  })
}

function isSame(a: Owner, b: Owner): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
