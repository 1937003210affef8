import type { ContainerSummary, EndpointSettings, Port } from '@ctr/api'
import { type ContainerRecord, isCheckpointed, type Listed } from '@ctr/engine'
import { humanDuration, nowNs, unixSeconds } from '../../time.ts'
import { sortedKeys } from '../sorted-keys.ts'
import {
  type ContainerSizes,
  isUp,
  type ListedContainer,
  renderMount,
  renderNetworks,
  renderPortMap,
} from './render.ts'

export function renderSummary(
  container: ListedContainer & Pick<Listed, 'isEndUnrecorded'>,
  apiMinor: number,
  sizes?: ContainerSizes,
): ContainerSummary {
  return {
    ...beforeStatus(container, sizes),
    Status: statusText(container, container, nowNs()),
    ...afterStatus(container, apiMinor),
  }
}

/** What changes without the record. */
type Passing = Pick<Listed, 'health' | 'isEndUnrecorded'>

interface Kept {
  /** Beside the record. */
  readonly shown: Pick<ListedContainer, 'endpoints' | 'linkedAs' | 'imageReference'>
  readonly apiMinor: number
  /** Text of the object up to its `Status`, and behind it. */
  readonly before: string
  readonly after: string
}

/**
 * Of each record's last list. A record is a value: what changes a container puts another one in its place. What else a summary
 * shows is compared, or, as the time and the health, not kept.
 */
const kept = new WeakMap<ContainerRecord, Kept>()

/** The JSON of `renderSummary`. */
export function summaryText(
  record: ContainerRecord,
  shown: Pick<ListedContainer, 'endpoints' | 'linkedAs' | 'imageReference'> & Passing,
  apiMinor: number,
): string {
  let text = kept.get(record)
  if (text === undefined || text.apiMinor !== apiMinor || !isSame(text.shown, shown)) {
    text = render(record, shown, apiMinor)
    kept.set(record, text)
  }
  const status = JSON.stringify(statusText(record, shown, nowNs()))
  return `${text.before},"Status":${status},${text.after}`
}

function render(
  record: ContainerRecord,
  shown: Pick<ListedContainer, 'endpoints' | 'linkedAs' | 'health' | 'imageReference'>,
  apiMinor: number,
): Kept {
  const container = { ...record, ...shown }
  return {
    shown,
    apiMinor,
    before: JSON.stringify(beforeStatus(container)).slice(0, -1),
    after: JSON.stringify(afterStatus(container, apiMinor)).slice(1),
  }
}

function isSame(a: Kept['shown'], b: Kept['shown']): boolean {
  return (
    a.imageReference === b.imageReference &&
    hasSameItems(a.linkedAs, b.linkedAs) &&
    hasSameItems(a.endpoints, b.endpoints)
  )
}

function hasSameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

type BeforeStatus = Omit<ContainerSummary, 'Status' | keyof AfterStatus>
type AfterStatus = Pick<ContainerSummary, 'HostConfig' | 'NetworkSettings' | 'Mounts'>

function beforeStatus(container: ListedContainer, sizes?: ContainerSizes): BeforeStatus {
  return {
    Id: container.id,
    Names: [container.name, ...container.linkedAs].map((name) => `/${name}`),
    Image: container.imageReference,
    ImageID: container.imageId,
    Command: [container.path, ...container.args.map(quoted)].join(' '),
    Created: unixSeconds(container.createdAtNs),
    Ports: renderPorts(container),
    ...(sizes === undefined
      ? {}
      : {
          ...(sizes.sizeRw === 0 ? {} : { SizeRw: sizes.sizeRw }),
          SizeRootFs: sizes.sizeRootFs,
        }),
    Labels: sortedKeys(container.config.Labels ?? {}),
    State: container.state.status,
  }
}

function afterStatus(container: ListedContainer, apiMinor: number): AfterStatus {
  const annotations = container.hostConfig.Annotations
  return {
    HostConfig: {
      NetworkMode: container.hostConfig.NetworkMode || 'default',
      ...(apiMinor >= 46 && annotations !== undefined ? { Annotations: annotations } : {}),
    },
    NetworkSettings: { Networks: listedNetworks(container, apiMinor) },
    Mounts: container.mounts.map(renderMount),
  }
}

/** What lists leave out. moby daemon/list.go refreshImage, transform */
function listedNetworks(
  container: ListedContainer,
  apiMinor: number,
): Record<string, EndpointSettings> {
  const networks = Object.entries(renderNetworks(container, apiMinor))
  const left = { Links: null, Aliases: null, DriverOpts: null }
  const names = apiMinor >= 44 ? { DNSNames: null } : {}
  return Object.fromEntries(networks.map(([key, one]) => [key, { ...one, ...left, ...names }]))
}

/** moby daemon/list.go: arguments with a space are shown in quotes. */
function quoted(argument: string): string {
  return argument.includes(' ') ? `'${argument}'` : argument
}

function renderPorts(container: ListedContainer): Port[] {
  if (!isUp(container)) return []
  return Object.entries(renderPortMap(container)).flatMap(([key, bindings]): Port[] => {
    const [port, type = 'tcp'] = key.split('/')
    const privatePort = Number(port)
    if (bindings === null) return [{ PrivatePort: privatePort, Type: type }]
    return bindings.map(({ HostIp, HostPort }) => ({
      ...(HostIp === undefined || HostIp === '' || HostPort === '' ? {} : { IP: HostIp }),
      PrivatePort: privatePort,
      // Without one it is reached at the container's own address.
      ...(HostPort === '' ? {} : { PublicPort: Number(HostPort) }),
      Type: type,
    }))
  })
}

/** moby container/health.go String() */
function healthText(health: ListedContainer['health']): string {
  if (health === undefined) return ''
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`
}

/** The STATUS column of `docker ps`. moby container/state.go String() */
function statusText(
  container: Pick<ContainerRecord, 'state' | 'bookkeeping'>,
  { health, isEndUnrecorded }: Passing,
  now: bigint,
): string {
  const { state } = container
  if (isEndUnrecorded) return 'Ended, but the database does not take it'
  const since = (ns: bigint): string => humanDuration(now - ns)
  switch (state.status) {
    case 'created':
      return 'Created'
    case 'running':
      return `Up ${since(state.startedAtNs)}${healthText(health)}`
    case 'paused':
      return `Up ${since(state.startedAtNs)} (Paused)`
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAtNs)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAtNs)} ago${isCheckpointed(container) ? ' (Checkpointed)' : ''}`
  }
}
