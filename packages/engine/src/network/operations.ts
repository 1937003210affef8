import type { EndpointConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { CreateNetworkOptions, Network } from '@ctr/network'
import { ShimError } from '@ctr/shim'
import {
  configuredNames,
  isConfiguredWith,
  withNetwork,
  withoutNetwork,
  withoutReference,
} from '../container/configured-networks.ts'
import { assertUserDefined, namesOf, portBindings } from '../container/connect-networks.ts'
import type { ContainerRecord } from '../container/container.ts'
import { networkEvent } from '../container/container-event.ts'
import { networkTarget } from '../container/forwards.ts'
import { withRuntimeFiles } from '../container/runtime-files.ts'
import { isAlive } from '../container/state.ts'
import type { Engine } from '../engine.ts'
import type { NewEvent } from '../events.ts'
import { type PruneOptions, pruneEvent } from '../prune.ts'

/** The operations of @ctr/network with the events that they are, and with containers by reference. */

export async function createNetwork(
  engine: Engine,
  options: CreateNetworkOptions,
): Promise<Network> {
  const network = await engine.networks.create(options)
  engine.events.emit(eventOf(network, 'create'))
  return network
}

export async function removeNetwork(engine: Engine, reference: string): Promise<void> {
  const network = await engine.networks.remove(reference)
  engine.events.emit(eventOf(network, 'destroy'))
}

export async function pruneNetworks(
  engine: Engine,
  isWanted: (network: Network) => boolean,
  o: PruneOptions = {},
): Promise<Network[]> {
  if (o.isDryRun === true) return unusedNetworks(engine, o).filter(isWanted)
  const removed = await engine.networks.prune(isWanted)
  for (const network of removed) engine.events.emit(eventOf(network, 'destroy'))
  engine.events.emit(pruneEvent('network', 0))
  return removed
}

const PREDEFINED: readonly string[] = ['bridge', 'host', 'none']

function unusedNetworks(engine: Pick<Engine, 'networks'>, o: PruneOptions): Network[] {
  return engine.networks
    .list()
    .filter(({ name, configuration }) => !PREDEFINED.includes(name) && configuration === undefined)
    .filter(({ id }) =>
      engine.networks
        .endpointsOfNetwork(id)
        .every(({ containerId }) => o.withoutContainers?.has(containerId) === true),
    )
}

function eventOf(network: Network, action: 'create' | 'destroy'): NewEvent {
  return {
    type: 'network',
    action,
    actorId: network.id,
    attributes: { name: network.name, type: network.driver },
  }
}

/** Of a running container at once; of any other from its next start on. */
export async function connectNetwork(
  engine: Engine,
  network: string,
  reference: string,
  endpoint: EndpointConfig,
): Promise<void> {
  const { id, name: networkName } = engine.networks.get(network)
  const { id: containerId } = engine.containers.get(reference)
  if (networkName === 'host') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'container cannot be disconnected from host network or connected to host network',
    )
  }
  assertUserDefined(networkName, endpoint)
  await engine.queues.run(containerId, async () => {
    const container = engine.containers.get(containerId)
    const { state } = container
    assertOwnNetwork(container.hostConfig.NetworkMode ?? '')
    assertNotPrivate(container.hostConfig.NetworkMode ?? '', networkName)
    const record = (follow: () => void) => (write: () => void) =>
      engine.events.commit('durable', () => {
        write()
        follow()
        if (isAlive(state)) {
          const connected = { networkId: id, networkName }
          engine.events.add(networkEvent(engine, container, connected, 'connect'))
        }
        engine.containers.changeDocuments(containerId, {
          networkingConfig: withNetwork(engine, container, { id, name: networkName }, endpoint),
        })
      })
    if (isAlive(state)) {
      await whileItRuns(engine, container, (follow) =>
        engine.networks.connectRunning(
          {
            containerId,
            containerName: container.name,
            network: id,
            aliases: endpoint.Aliases ?? [],
            links: endpoint.Links ?? [],
            ...namesOf(engine, container),
            requestedIp: endpoint.IPAMConfig?.IPv4Address,
            requestedIpv6: endpoint.IPAMConfig?.IPv6Address,
            macAddress: endpoint.MacAddress,
            driverOptions: endpoint.DriverOpts,
            gatewayPriority: endpoint.GwPriority,
            ports: portBindings(container),
            index: nextIndex(engine, containerId),
          },
          networkTarget(engine, containerId, state),
          record(follow),
        ),
      )
      return
    }
    record(NOTHING)(NOTHING)
  })
}

const NOTHING = (): void => undefined

/** With its files. CONFLICT when its process has ended meanwhile, which the engine has not heard of yet. */
async function whileItRuns<T>(
  engine: Engine,
  container: ContainerRecord,
  change: (follow: () => void) => Promise<T>,
): Promise<T> {
  try {
    return await withRuntimeFiles(engine, container, change)
  } catch (cause) {
    if (!(cause instanceof ShimError) || cause.op !== 'join') throw cause
    throw new EngineError('CONFLICT', `container ${container.id} is not running`, { cause })
  }
}

function assertNotPrivate(mode: string, network: string): void {
  if (mode !== 'none' && network !== 'none') return
  throw new EngineError(
    'INVALID_ARGUMENT',
    'container cannot be connected to multiple networks with one of the networks in private (none) mode',
  )
}

function nextIndex(engine: Engine, containerId: string): number {
  const used = new Set(
    engine.networks.endpointsOfContainer(containerId).map((endpoint) => endpoint.interface),
  )
  let index = 0
  while (used.has(index)) index++
  return index
}

export async function disconnectNetwork(
  engine: Engine,
  network: string,
  reference: string,
  options: { readonly force: boolean },
): Promise<void> {
  const known = engine.networks.find(network)
  if (known === undefined) {
    await forgetNetwork(engine, network, reference, options)
    return
  }
  const { id, name: networkName } = known
  const found = engine.containers.find(reference)
  if (found === undefined && options.force) return
  const { id: containerId } = found ?? engine.containers.get(reference)
  await engine.queues.run(containerId, async () => {
    const container = engine.containers.get(containerId)
    const { state } = container
    assertOwnNetwork(container.hostConfig.NetworkMode ?? '')
    const record = (follow: () => void) => (write: () => void) =>
      engine.events.commit('durable', () => {
        write()
        follow()
        if (isAlive(state)) {
          const left = { networkId: id, networkName }
          engine.events.add(networkEvent(engine, container, left, 'disconnect'))
        }
        engine.containers.changeDocuments(containerId, {
          networkingConfig: withoutNetwork(engine, container, id),
        })
      })
    if (isAlive(state)) {
      const target = networkTarget(engine, containerId, state)
      await whileItRuns(engine, container, (follow) =>
        engine.networks.disconnectRunning(containerId, id, target, {
          record: record(follow),
          ports: portBindings(container),
        }),
      )
      return
    }
    if (!isConfiguredWith(engine, container, id) && !options.force) {
      throw notConnected(containerId, networkName)
    }
    record(NOTHING)(NOTHING)
  })
}

/** A container that does not run leaves a network that is no more: its start would ask for it. moby DisconnectFromNetwork */
async function forgetNetwork(
  engine: Engine,
  network: string,
  reference: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  const found = engine.containers.find(reference)
  if (found === undefined) engine.networks.get(network)
  const { id } = found ?? engine.containers.get(reference)
  await engine.queues.run(id, () => {
    const container = engine.containers.get(id)
    if (isAlive(container.state) && !force) engine.networks.get(network)
    if (!configuredNames(container).includes(network)) throw notConnected(id, network)
    engine.events.commit('durable', () => {
      engine.containers.changeDocuments(id, {
        networkingConfig: withoutReference(container, network),
      })
    })
    return Promise.resolve()
  })
}

function notConnected(containerId: string, network: string): EngineError {
  const message = `container ${containerId} is not connected to the network ${network}`
  return new EngineError('FORBIDDEN', message)
}

function assertOwnNetwork(mode: string): void {
  if (mode === 'host') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'container sharing network namespace with host cannot be connected to or disconnected from any network',
    )
  }
  if (mode.startsWith('container:')) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    )
  }
}
