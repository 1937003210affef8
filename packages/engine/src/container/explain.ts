import { explainProgram } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { effectiveNetworkMode, networkPlan } from './connect-networks.ts'
import type { MountPoint } from './container.ts'
import { type CreateRequest, planContainer } from './create.ts'
import { compileProgram, visibleHostname } from './start.ts'

/**
 * The launch program that `create` and `start` would run, one operation per line. Makes nothing: addresses on a bridge,
 * which are allocated at start, are not in it.
 */
export async function explainContainer(engine: Engine, request: CreateRequest): Promise<string> {
  const { container, mounts: planned, userNamespace } = planContainer(engine, request)
  const mounts = planned.map(({ mount }): MountPoint => {
    const name = mount.name ?? '<volume>'
    return mount.type === 'volume' ? { ...mount, source: engine.volumes.mountpoint(name) } : mount
  })
  const program = compileProgram(
    engine,
    { ...container, mounts },
    {
      endpoints: [],
      hostname: visibleHostname(engine, container),
      expectAttach: 0,
      consoleSize: undefined,
      hidesSecrets: true,
      idMaps: engine.userNamespaces.preview(userNamespace),
    },
  )
  const mode = effectiveNetworkMode(engine, container)
  const note =
    mode.kind === 'network' && networkPlan([]).hostOps.length === 0
      ? `# network ${mode.name}: link, addresses and published ports are decided at start\n`
      : ''
  return `${note}${explainProgram(program)}`
}
