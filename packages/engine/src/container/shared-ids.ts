import type { HostConfig } from '@ctr/api'
import type { Engine } from '../engine.ts'

const PREFIX = 'container:'

/**
 * Modes `container:NAME` with the id: they go on to mean the same container when it is renamed and another one gets its
 * name. One that is not there is left for the checks. moby daemon/daemon_unix.go adaptSharedNamespaceContainer
 */
export function withSharedIds(
  { containers }: Pick<Engine, 'containers'>,
  hostConfig: HostConfig,
): HostConfig {
  const changed: { -readonly [K in (typeof MODES)[number]]?: string } = {}
  for (const key of MODES) {
    const mode = hostConfig[key]
    if (mode?.startsWith(PREFIX) !== true) continue
    const other = containers.find(mode.slice(PREFIX.length))
    if (other !== undefined) changed[key] = PREFIX + other.id
  }
  return { ...hostConfig, ...changed }
}

const MODES = ['NetworkMode', 'IpcMode', 'PidMode'] as const
