import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { type ExposedRange, exposedRanges } from './exposed-ports.ts'
import { isRunningForUser } from './state.ts'

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
    portsOf(engine, container, key).some(({ first, last, protocol }) =>
      ranges.some(
        (range) => range.protocol === protocol && range.first <= last && first <= range.last,
      ),
    )
}

function parseRange(key: string, value: string): ExposedRange {
  if (value.includes(':')) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `filter for '${key}' should not contain ':': ${value}`,
    )
  }
  // A protocol that there is not is that of no port.
  const [range = '', protocol = 'tcp'] = value.split('/')
  const parts = range.split('-')
  const wrong = parts.find((part) => !/^\d{1,5}$/.test(part))
  if (wrong !== undefined || parts.length > 2) {
    const reason =
      range === ''
        ? 'empty string specified for ports'
        : `strconv.ParseUint: parsing ${JSON.stringify(wrong ?? range)}: invalid syntax`
    throw new EngineError(
      'INVALID_ARGUMENT',
      `error while looking up for ${key} ${value}: ${reason}`,
    )
  }
  const [first, last = first] = parts.map(Number)
  return { first: first as number, last: last as number, protocol: protocol || 'tcp' }
}

function portsOf(
  engine: Pick<Engine, 'networks'>,
  { id, config }: ContainerRecord,
  key: 'publish' | 'expose',
): ExposedRange[] {
  const bound = engine.networks.endpointsOfContainer(id).flatMap(({ ports }) => ports)
  if (key === 'publish') return bound.map(({ hostPort, protocol }) => rangeOf(hostPort, protocol))
  return [
    ...bound.map(({ containerPort, protocol }) => rangeOf(containerPort, protocol)),
    ...exposedRanges(config),
  ]
}

function rangeOf(port: number, protocol: string): ExposedRange {
  return { first: port, last: port, protocol }
}
