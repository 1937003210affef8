import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { isRunningForUser } from './state.ts'

interface PortRange {
  readonly first: number
  readonly last: number
  readonly protocol: string
}

/**
 * The filters `publish` (a port of the host) and `expose` (a port of the container): `80`, `80/udp`, `8000-8080/tcp`. As in
 * Docker, ports of containers that do not run are not known. INVALID_ARGUMENT.
 */
export function portFilter(
  engine: Pick<Engine, 'networks'>,
  key: 'publish' | 'expose',
  values: readonly string[],
): (container: ContainerRecord) => boolean {
  const ranges = values.map((value) => parseRange(key, value))
  return (container) =>
    isRunningForUser(container.state) &&
    portsOf(engine, container, key).some(({ port, protocol }) =>
      ranges.some(
        (range) => range.protocol === protocol && range.first <= port && port <= range.last,
      ),
    )
}

function parseRange(key: string, value: string): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(value)
  if (match === null) {
    const text = JSON.stringify(value.replace(/\/.*$/, ''))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `error while looking up for ${key} ${value}: strconv.ParseUint: parsing ${text}: invalid syntax`,
    )
  }
  const first = Number(match[1])
  return { first, last: Number(match[2] ?? first), protocol: match[3] ?? 'tcp' }
}

function portsOf(
  engine: Pick<Engine, 'networks'>,
  { id, config }: ContainerRecord,
  key: 'publish' | 'expose',
): { port: number; protocol: string }[] {
  const bound = engine.networks.endpointsOfContainer(id).flatMap(({ ports }) => ports)
  if (key === 'publish')
    return bound.map(({ hostPort, protocol }) => ({ port: hostPort, protocol }))
  const exposed = Object.keys(config.ExposedPorts ?? {}).map((text) => {
    const [port, protocol = 'tcp'] = text.split('/')
    return { port: Number(port), protocol }
  })
  return [
    ...bound.map(({ containerPort, protocol }) => ({ port: containerPort, protocol })),
    ...exposed,
  ]
}
