import { loopbackOps } from '@ctr/network'
import { explainProgram } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { type EndpointOps, effectiveNetworkMode } from './connect-networks.ts'
import type { MountPoint } from './container.ts'
import { type CreateRequest, planContainer } from './create.ts'
import { compileProgram, visibleHostname } from './program.ts'

const LOOPBACK: EndpointOps = { hostOps: [], childOps: loopbackOps(), forwards: [] }

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
  const mode = effectiveNetworkMode(engine, container)
  const program = compileProgram(
    engine,
    { ...container, mounts },
    {
      // Its own network namespace has a loopback device in any case.
      endpoints: ['none', 'network'].includes(mode.kind) ? [LOOPBACK] : [],
      hostname: visibleHostname(engine, container),
      expectAttach: 0,
      consoleSize: undefined,
      hidesSecrets: true,
      idMaps: engine.userNamespaces.preview(userNamespace),
    },
  )
  const note =
    mode.kind === 'network'
      ? `# network ${mode.name}: link, addresses and published ports are decided at start\n`
      : ''
  return `${note}${explainProgram(program)}`
}
